//! What nobody can have chosen before: candidates for passwords, names of accounts, secrets.

/// Random bytes.
///
/// # Panics
/// Never on a system that runs programs; without random numbers there is nothing to test with.
pub fn bytes(count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    if getrandom::fill(&mut bytes).is_err() {
        // Tests need values that differ, not secrets.
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::try_from((now.as_nanos() >> (at % 8)) & 0xff).unwrap_or(0);
        }
    }
    bytes
}

/// A number from 0 up to, not with, `limit`.
pub fn below(limit: u16) -> u16 {
    let bytes = bytes(2);
    u16::from_le_bytes([bytes[0], bytes[1]]) % limit.max(1)
}

/// Lower-case letters and digits.
pub fn letters(count: usize) -> String {
    of(b"abcdefghijkmnpqrstuvwxyz23456789", count)
}

/// Printable ASCII without space.
pub fn printable(count: usize) -> String {
    let all: Vec<u8> = (b'!'..=b'~').collect();
    of(&all, count)
}

fn of(alphabet: &[u8], count: usize) -> String {
    bytes(count).iter().map(|byte| char::from(alphabet[usize::from(*byte) % alphabet.len()])).collect()
}

/// That many different four-byte characters.
pub fn emoji(count: usize) -> String {
    let base = 0x1f300;
    bytes(count * 2)
        .chunks(2)
        .filter_map(|pair| char::from_u32(base + (u32::from(pair[0]) << 1 | u32::from(pair[1] & 1)) % 0x120))
        .collect()
}

/// A password that every policy takes: 31 characters of every class, on no list.
pub fn password() -> String {
    format!("{} {} {}-X7", letters(9), letters(9), letters(8))
}

/// Base64 of 32 bytes, as applications want their secrets.
pub fn secret() -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes(32))
}
