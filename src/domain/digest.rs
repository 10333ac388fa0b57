//! SHA-256, by which entries are chained, ids are derived and requests compared.

use aws_lc_rs::digest::{Context, SHA256};

/// A SHA-256 digest.
pub type Sha256 = [u8; 32];

/// The SHA-256 of `parts`, one behind the other.
pub fn sha256(parts: &[&[u8]]) -> Sha256 {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut digest = Sha256::default();
    digest.copy_from_slice(context.finish().as_ref());
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    // The second example of FIPS 180-4.
    #[test]
    fn parts_make_the_digest_of_the_whole() {
        let hex = |parts: &[&[u8]]| sha256(parts).map(|byte| format!("{byte:02x}")).concat();
        let whole = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
        let expected = "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1";
        assert_eq!(hex(&[whole]), expected);
        assert_eq!(hex(&[&whole[..7], b"", &whole[7..]]), expected);
    }
}
