//! Strangers' text on its way into a detail that a person will read in a terminal.

/// Characters of a stranger's text that a detail repeats: enough for any DNS name.
const MAX_SHOWN: usize = 260;

/// `text` without control characters or others that would disturb a terminal, and not too much of it.
pub(crate) fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(MAX_SHOWN));
    let mut characters = text.chars();
    for character in characters.by_ref().take(MAX_SHOWN) {
        match character {
            '"' | '\'' | '\\' => out.push(character),
            _ => out.extend(character.escape_debug()),
        }
    }
    if characters.next().is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_and_direction_characters_are_escaped_and_the_rest_is_kept() {
        assert_eq!(shown("bücher \"x\""), "bücher \"x\"");
        assert_eq!(shown("a\u{1b}[31m\n\u{202e}"), "a\\u{1b}[31m\\n\\u{202e}");
    }

    #[test]
    fn long_text_is_cut() {
        assert_eq!(shown(&"a".repeat(1000)).chars().count(), MAX_SHOWN + 1);
    }
}
