//! A share on paper, or in a file on its way there.

use std::fmt::Write as _;

use cairn_x509::PublicKey;
use zeroize::Zeroizing;

use crate::file::Digest;
use crate::shares::Scheme;
use crate::{qr, words};

/// Words on a line.
const PER_LINE: usize = 11;
/// Before the lines with the words, and before no other.
const INDENT: &str = "    ";

/// One holder's share.
pub struct ShareFile {
    /// Whose it is.
    pub holder: String,
    /// Its name in a folder of shares: `share-1-of-3-alice-archer.txt`.
    pub name: String,
    words: Zeroizing<String>,
    text: Zeroizing<String>,
}

impl ShareFile {
    pub(super) fn new(
        title: &str,
        scheme: Scheme,
        number: u8,
        holder: &str,
        key: &PublicKey,
        words: Zeroizing<String>,
    ) -> Self {
        let Scheme { threshold, shares } = scheme;
        let name = format!("share-{number}-of-{shares}-{}.txt", file_name(holder));
        let head = format!(
            "{title}\nShare {number} of {shares}, for {holder}. Any {threshold} of them open the key.\n\
             Key: {}\n",
            words::fingerprint(&Digest::of(key.der()))
        );
        Self { holder: holder.to_owned(), name, text: render(&head, &words), words }
    }

    /// The words in one line.
    #[must_use]
    pub fn words(&self) -> &str {
        &self.words
    }

    /// What is printed or written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

fn render(head: &str, words: &str) -> Zeroizing<String> {
    // With room for all of it at once: growing would leave copies of the secret in freed memory.
    let mut text = Zeroizing::new(String::with_capacity(16 * 1024));
    text.push_str(head);
    for (place, word) in words.split(' ').enumerate() {
        text.push_str(if place % PER_LINE == 0 { "\n    " } else { " " });
        text.push_str(word);
    }
    text.push_str("\n\n");
    if let Some(code) = qr::code(words).map(Zeroizing::new) {
        text.push_str(&code);
        text.push_str("\n\n");
    }
    // Writing into a string cannot fail.
    let _written = writeln!(
        text,
        "Tell nobody the words. To open the key, `cairn ceremony combine` takes as many shares as are needed; so does any program for\n\
         SLIP-0039, and the secret that it prints in hexadecimal digits is the passphrase of the key's file."
    );
    text
}

/// The words in a share's file, or in a text that has nothing but them.
#[must_use]
pub fn words_of(text: &str) -> Zeroizing<String> {
    let mut words = Zeroizing::new(String::with_capacity(text.len()));
    let is_ours = text.lines().any(|line| line.starts_with(INDENT));
    let lines = text.lines().filter(|line| !is_ours || line.starts_with(INDENT));
    // A code's lines have no letters, however they are indented.
    for word in lines
        .flat_map(str::split_whitespace)
        .filter(|word| word.bytes().all(|byte| byte.is_ascii_alphabetic()))
    {
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
    }
    words
}

/// A name as part of a file's name: letters and digits in lower case, and hyphens.
fn file_name(name: &str) -> String {
    let kept: String = name
        .chars()
        .map(|letter| if letter.is_alphanumeric() { letter.to_ascii_lowercase() } else { '-' })
        .collect();
    kept.trim_matches('-').to_owned()
}
