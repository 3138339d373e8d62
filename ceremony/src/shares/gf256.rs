//! Arithmetic in GF(256) modulo x⁸ + x⁴ + x³ + x + 1 (the field of AES, FIPS 197 §4), and polynomials over it.
//!
//! The values are shares of a key, so nothing here branches on them or looks them up in a table: how long it takes tells nothing. The
//! crates that do this (vsss-rs is the kept one) bring the arithmetic of elliptic curves with them, and none evaluates a polynomial at
//! the places where SLIP-0039 hides its secret; these few lines are easier to review.

/// The irreducible polynomial without its x⁸.
const POLYNOMIAL: u8 = 0x1b;

/// The product.
fn multiply(a: u8, b: u8) -> u8 {
    let (mut a, mut product) = (a, 0);
    for bit in 0..8 {
        product ^= a & mask(b >> bit & 1);
        a = a << 1 ^ POLYNOMIAL & mask(a >> 7);
    }
    product
}

/// The inverse, a²⁵⁴; of zero, zero.
fn invert(a: u8) -> u8 {
    // 254 is 0b1111_1110: multiply up a², a⁴, … a¹²⁸.
    let (mut power, mut product) = (a, 1);
    for _ in 1..8 {
        power = multiply(power, power);
        product = multiply(product, power);
    }
    product
}

/// All ones for 1, all zeros for 0.
const fn mask(bit: u8) -> u8 {
    bit.wrapping_neg()
}

/// The values at `x` of the polynomials of lowest degree that run through `points`, one polynomial for each octet of the points' values.
/// The points' places differ from each other, and their values have the same length.
pub(super) fn interpolate(points: &[(u8, &[u8])], x: u8) -> Vec<u8> {
    let length = points.first().map_or(0, |(_, value)| value.len());
    let mut result = vec![0; length];
    for (place, value) in points {
        let basis = basis(points, *place, x);
        for (sum, octet) in result.iter_mut().zip(*value) {
            *sum ^= multiply(basis, *octet);
        }
    }
    result
}

/// Lagrange's basis polynomial of `place` at `x`. Subtraction is addition here, and both are XOR.
fn basis(points: &[(u8, &[u8])], place: u8, x: u8) -> u8 {
    points
        .iter()
        .filter(|(other, _)| *other != place)
        .fold(1, |product, (other, _)| multiply(product, multiply(x ^ other, invert(place ^ other))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_those_of_fips_197() {
        assert_eq!(multiply(0x57, 0x83), 0xc1);
        assert_eq!(multiply(0x57, 0x13), 0xfe);
    }

    #[test]
    fn every_number_but_zero_has_an_inverse() {
        for a in 1..=255 {
            assert_eq!(multiply(a, invert(a)), 1, "{a}");
        }
        assert_eq!(invert(0), 0);
    }

    #[test]
    fn a_polynomial_is_known_everywhere_by_as_many_points_as_it_has_coefficients() {
        // 7 + 3x + 200x², in each of two octets with the second one shifted by a constant.
        let at = |x: u8| {
            let value = 7 ^ multiply(3, x) ^ multiply(200, multiply(x, x));
            vec![value, value ^ 0x55]
        };
        let known = [(3, at(3)), (17, at(17)), (250, at(250))];
        let points: Vec<(u8, &[u8])> = known.iter().map(|(x, value)| (*x, value.as_slice())).collect();
        for x in 0..=255 {
            assert_eq!(interpolate(&points, x), at(x), "{x}");
        }
    }
}
