//! One canonical form of an e-mail address, used wherever an address is stored or looked up.

use super::problem::Problem;

/// RFC 5321 4.5.3.1.1 and erratum 1690.
const MAX_LOCAL: usize = 64;
const MAX_ADDRESS: usize = 254;
const MAX_LABEL: usize = 63;

/// Lower-case ASCII, trimmed, one unquoted local part and a dotted domain (IDNs as A-labels).
///
/// Everything else is refused rather than folded, so two spellings are either byte-equal or
/// different accounts (ASVS 1.1.1, CVE-2019-19844). Dots and `+tags` are kept: they are the
/// provider's business.
pub fn canonical(input: &str) -> Result<String, Problem> {
    let address = input.trim_matches(' ').to_ascii_lowercase();
    let (local, domain) = address.split_once('@').ok_or(Problem::email_invalid())?;
    let valid = address.len() <= MAX_ADDRESS && is_local_part(local) && is_domain(domain);
    valid.then_some(address).ok_or(Problem::email_invalid())
}

/// A dot-atom of RFC 5322 3.2.3.
fn is_local_part(local: &str) -> bool {
    local.len() <= MAX_LOCAL
        && local.split('.').all(|atom| {
            !atom.is_empty()
                && atom
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b))
        })
}

fn is_domain(domain: &str) -> bool {
    domain.contains('.')
        && domain.split('.').all(|label| {
            (1..=MAX_LABEL).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        })
}
