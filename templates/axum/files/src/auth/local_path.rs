//! Ways back that a request names.

/// Longer ones are forgotten; the user ends at home.
const MAX_PATH: usize = 2_048;

/// True for a path of this origin in every reading of it (ASVS 3.7.2). Browsers drop tabs and line
/// ends, take `\` for `/` and resolve dots; servers behind proxies decode once more. So the path
/// is plain: printable ASCII, no empty or dotted segment, nothing encoded that would make one.
pub fn is_local_path(text: &str) -> bool {
    let is_plain = text.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    let path = text.split(['?', '#']).next().unwrap_or_default();
    let path = path.to_ascii_lowercase().replace("%2e", ".");
    let encodes = ["%0", "%1", "%2f", "%5c", "%7f"].iter().any(|hidden| path.contains(hidden));
    let Some(segments) = path.strip_prefix('/') else {
        return false;
    };
    // The last segment may be empty: `/` and `/a/`.
    let segments = segments.strip_suffix('/').unwrap_or(segments);
    let is_step = |segment: &str| matches!(segment, "" | "." | "..");
    text.len() <= MAX_PATH
        && is_plain
        && !encodes
        && (path == "/" || !segments.split('/').any(is_step))
}
