//! QR codes out of characters, for terminals and paper.

use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

/// `text` as a QR code of half blocks, dark on light. `None` if it is too long for one.
#[must_use]
pub fn code(text: &str) -> Option<String> {
    let code = QrCode::new(text.as_bytes()).ok()?;
    // On a terminal that is dark, the blocks are its light parts.
    Some(code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_fits_and_a_book_does_not() {
        let share = vec!["academic"; 33].join(" ");
        let code = code(&share).unwrap();
        assert!(code.lines().count() > 20 && code.contains('█'));
        assert_eq!(super::code(&"x".repeat(10_000)), None);
    }
}
