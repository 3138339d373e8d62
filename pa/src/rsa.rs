//! Weaknesses of an RSA modulus that show without factoring it. Numbers are big-endian octets without leading zeros, as they
//! stand in keys.
//!
//! Nearly everything is decided on remainders by small primes, so the only long arithmetic is one integer square root.

/// Prime factors below this are looked for: the bound of BRs 6.1.6.
const SMALL: u16 = 752;
/// How many primes there are below [`SMALL`].
const PRIME_COUNT: usize = 133;
/// The primes below [`SMALL`], rising.
const PRIMES: [u16; PRIME_COUNT] = primes();

/// The largest prime that the ROCA fingerprint is taken by. Every affected key of 512 bits and more shows it by all primes up
/// to here, and a sound key by chance once in some 2^27.
const LAST_ROCA_PRIME: u16 = 167;
/// Affected chips made primes of the form `k·M + (65537^a mod M)`, where M is a product of all small primes.
const ROCA_GENERATOR: u64 = 65537;

/// Rounds of Fermat's method: BRs 6.1.1.3 demand 100.
const FERMAT_ROUNDS: u64 = 100;

/// Whether a prime below 752 divides `modulus`.
pub(crate) fn has_small_factor(modulus: &[u8]) -> bool {
    let modulus = limbs(modulus);
    PRIMES.iter().any(|prime| remainder(&modulus, u64::from(*prime)) == 0)
}

/// Whether `modulus` was made by the faulty key generator of CVE-2017-15361 ("The Return of Coppersmith's Attack", 2017, §3.3):
/// then by every small prime it is some power of 65537.
pub(crate) fn has_roca_fingerprint(modulus: &[u8]) -> bool {
    let modulus = limbs(modulus);
    let mut primes =
        PRIMES.iter().copied().filter(|prime| (3..=LAST_ROCA_PRIME).contains(prime)).map(u64::from);
    primes.all(|prime| is_power(remainder(&modulus, prime), ROCA_GENERATOR % prime, prime))
}

/// Whether `value` is a power of `generator` modulo `prime`.
fn is_power(value: u64, generator: u64, prime: u64) -> bool {
    let powers = std::iter::successors(Some(generator), |power| Some(power * generator % prime));
    // A generator's powers repeat after at most `prime - 1` steps.
    powers.take(usize::from(LAST_ROCA_PRIME)).any(|power| power == value)
}

/// Whether Fermat's method factors `modulus` within 100 rounds: its two factors are then close to each other, as happens when a
/// broken generator searches the second prime from the first.
///
/// The method looks for the first `a ≥ √n` for which `a² - n` is a square. Here it is "a square modulo every small odd prime",
/// which every square is, and another number once in 2^132. So no long number but the root is ever computed.
pub(crate) fn has_close_factors(modulus: &[u8]) -> bool {
    let modulus = limbs(modulus);
    let root = square_root(&modulus);
    let fields: Vec<Field> = PRIMES.iter().skip(1).map(|prime| Field::new(*prime, &root, &modulus)).collect();
    (0..=FERMAT_ROUNDS).any(|round| fields.iter().all(|field| field.sees_square(round)))
}

/// One prime, and the numbers of Fermat's method as they look modulo it.
struct Field {
    prime: u64,
    root: u64,
    modulus: u64,
    /// Whether the number at this index is a square.
    squares: Vec<bool>,
}

impl Field {
    fn new(prime: u16, root: &[u64], modulus: &[u64]) -> Self {
        let mut squares = vec![false; usize::from(prime)];
        for number in 0..usize::from(prime) {
            if let Some(square) = squares.get_mut(number * number % usize::from(prime)) {
                *square = true;
            }
        }
        let prime = u64::from(prime);
        Self { prime, root: remainder(root, prime), modulus: remainder(modulus, prime), squares }
    }

    /// Whether `(root + round)² - modulus` is a square modulo this prime.
    fn sees_square(&self, round: u64) -> bool {
        let a = (self.root + round) % self.prime;
        let b_squared = (a * a + self.prime - self.modulus) % self.prime;
        usize::try_from(b_squared).ok().and_then(|index| self.squares.get(index)).copied().unwrap_or_default()
    }
}

/// The largest number whose square is at most `number`, digit by digit as on paper, two bits of `number` at a time.
fn square_root(number: &[u64]) -> Vec<u64> {
    // Both stay below 2^(half the bits + 2); one limb more than half is room enough.
    let length = number.len() / 2 + 2;
    let (mut root, mut rest) = (vec![0; length], vec![0; length]);
    for limb in number {
        for pair in (0..32).rev() {
            shift_left(&mut rest, 2, limb >> (2 * pair) & 0b11);
            shift_left(&mut root, 2, 1);
            // `root` now is the number to take away if the next digit is 1: four times the root so far, plus one.
            let digit = u64::from(rest >= root);
            if digit == 1 {
                subtract(&mut rest, &root);
            }
            shift_right_by_one(&mut root);
            if let Some(last) = root.last_mut() {
                *last |= digit;
            }
        }
    }
    root
}

/// `number · 2^bits + low`, where `bits` is from 1 to 63; what goes beyond the first limb is lost.
fn shift_left(number: &mut [u64], bits: u32, low: u64) {
    let mut carry = low;
    for limb in number.iter_mut().rev() {
        (*limb, carry) = (*limb << bits | carry, *limb >> (u64::BITS - bits));
    }
}

/// Half of `number`, rounded down.
fn shift_right_by_one(number: &mut [u64]) {
    let mut carry = 0;
    for limb in number {
        (*limb, carry) = (*limb >> 1 | carry, *limb << 63);
    }
}

/// `from - amount`, both of one length and `from` the larger.
fn subtract(from: &mut [u64], amount: &[u64]) {
    let mut borrow = false;
    for (limb, amount) in from.iter_mut().zip(amount).rev() {
        let (difference, first) = limb.overflowing_sub(*amount);
        let (difference, second) = difference.overflowing_sub(u64::from(borrow));
        (*limb, borrow) = (difference, first || second);
    }
}

/// The octets in limbs of 64 bits, the most significant first.
fn limbs(octets: &[u8]) -> Vec<u64> {
    let number = |octets: &[u8]| octets.iter().fold(0, |number, octet| number << 8 | u64::from(*octet));
    let (head, whole) = octets.split_at(octets.len() % 8);
    std::iter::once(head).chain(whole.chunks_exact(8)).map(number).collect()
}

/// `number` modulo `divisor`, which is below 2^32.
fn remainder(number: &[u64], divisor: u64) -> u64 {
    number.iter().fold(0, |rest, limb| {
        let upper = (rest << 32 | limb >> 32) % divisor;
        (upper << 32 | limb & 0xffff_ffff) % divisor
    })
}

#[expect(clippy::indexing_slicing, reason = "evaluated at compile time, where a wrong index stops the build")]
const fn primes() -> [u16; PRIME_COUNT] {
    let mut primes = [0; PRIME_COUNT];
    let (mut found, mut candidate) = (0, 2);
    while candidate < SMALL {
        let mut index = 0;
        while index < found && candidate % primes[index] != 0 {
            index += 1;
        }
        if index == found {
            primes[found] = candidate;
            found += 1;
        }
        candidate += 1;
    }
    assert!(found == PRIME_COUNT);
    primes
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// `2^(8·octets) + low`, in octets.
    fn power_plus(octets: usize, low: u16) -> Vec<u8> {
        let mut number = vec![0; octets + 1];
        number[0] = 1;
        number[octets - 1..].copy_from_slice(&low.to_be_bytes());
        number
    }

    /// The product of two numbers in octets, as on paper.
    fn product(a: &[u8], b: &[u8]) -> Vec<u8> {
        let mut sums = vec![0_u64; a.len() + b.len()];
        for (i, x) in a.iter().enumerate() {
            for (j, y) in b.iter().enumerate() {
                sums[i + j + 1] += u64::from(*x) * u64::from(*y);
            }
        }
        for at in (1..sums.len()).rev() {
            sums[at - 1] += sums[at] >> 8;
        }
        let octets: Vec<u8> = sums.iter().map(|sum| sum.to_le_bytes()[0]).collect();
        let zeros = octets.iter().take_while(|octet| **octet == 0).count();
        octets[zeros..].to_vec()
    }

    /// A number of 2048 bits without small factors, whose two factors are close to each other.
    pub(crate) fn product_of_close_numbers() -> Vec<u8> {
        let below_2_to_the_1024 =
            (1..u16::MAX).rev().map(|low| [&[0xff; 126][..], &low.to_be_bytes()].concat());
        let mut factors = below_2_to_the_1024.filter(|number| !has_small_factor(number));
        product(&factors.next().unwrap(), &factors.next().unwrap())
    }

    #[test]
    fn the_table_holds_the_primes_below_752() {
        assert_eq!(PRIMES[..5], [2, 3, 5, 7, 11]);
        assert_eq!(PRIMES.last(), Some(&751));
    }

    #[test]
    fn remainders_are_those_of_long_division() {
        let number = 0x0123_4567_89ab_cdef_0fed_cba9_8765_4321_u128;
        for divisor in [2, 3, 97, 751, 65537, 0xffff_ffff] {
            let octets = limbs(&number.to_be_bytes());
            assert_eq!(u128::from(remainder(&octets, divisor)), number % u128::from(divisor), "{divisor}");
        }
    }

    #[test]
    fn limbs_of_any_length_of_octets_are_the_same_number() {
        for octets in 1..=24 {
            let number = power_plus(octets + 1, 0);
            assert_eq!(remainder(&limbs(&number), 255), 1, "{octets}");
        }
    }

    #[test]
    fn square_roots_are_rounded_down() {
        for number in [1_u64, 3, 4, 8, 9, 99, 100, u64::from(u32::MAX).pow(2), u64::MAX] {
            assert_eq!(square_root(&[number]).last(), Some(&number.isqrt()), "{number}");
        }
        let long = power_plus(128, 0x1235);
        let square = product(&long, &long);
        assert_eq!(square_root(&limbs(&square)).as_slice(), {
            let mut root = vec![0; limbs(&square).len() / 2 + 2 - limbs(&long).len()];
            root.extend(limbs(&long));
            root
        });
    }

    #[test]
    fn a_small_factor_is_found() {
        let sound = product(&power_plus(128, 0x0643), &power_plus(128, 0x9ab1));
        assert!(has_small_factor(&product(&sound, &[2, 0xef])));
        assert!(has_small_factor(&product(&sound, &[3])));
        assert!(!has_small_factor(&[0xff, 0xf1]), "65521 is prime");
    }

    #[test]
    fn a_power_of_65537_carries_the_roca_fingerprint() {
        let number = (0..128).fold(vec![1], |power, _| product(&power, &[1, 0, 1]));
        assert!(has_roca_fingerprint(&number));
        assert!(!has_roca_fingerprint(&product(&number, &[3])));
    }

    #[test]
    fn close_factors_are_found_and_distant_ones_are_not() {
        let p = power_plus(128, 0x0001);
        assert!(has_close_factors(&product(&p, &p)));
        assert!(has_close_factors(&product(&p, &power_plus(128, 0xfff1))));
        let mut distant = power_plus(128, 0x0001);
        distant[40] = 7;
        assert!(!has_close_factors(&product(&p, &distant)));
    }
}
