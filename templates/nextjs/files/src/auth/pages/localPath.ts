/** Ways back that a request names. */

// Longer ones are forgotten; the user ends at home.
const MAX_PATH = 2_048;

const PLAIN = /^[\x21-\x5b\x5d-\x7e]+$/;
const HIDDEN = ["%0", "%1", "%2f", "%5c", "%7f"];

/**
 * True for a path of this origin in every reading of it (ASVS 3.7.2). Browsers drop tabs and line ends,
 * take `\` for `/` and resolve dots; servers behind proxies decode once more. So the path is plain:
 * printable ASCII, no empty or dotted segment, nothing encoded that would make one.
 */
export function isLocalPath(text: string): boolean {
  if (text.length > MAX_PATH || !PLAIN.test(text)) return false;
  const [given = ""] = text.split(/[?#]/, 1);
  const path = given.toLowerCase().replaceAll("%2e", ".");
  if (!path.startsWith("/") || HIDDEN.some((part) => path.includes(part)))
    return false;
  // The last segment may be empty: `/` and `/a/`.
  const segments = path.slice(1).replace(/\/$/, "").split("/");
  return (
    path === "/" || !segments.some((part) => ["", ".", ".."].includes(part))
  );
}
