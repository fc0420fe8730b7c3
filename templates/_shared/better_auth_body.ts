export function parsed(data: Buffer): JsonObject {
  let value: unknown;
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
      data,
    );
    value = JSON.parse(text);
  } catch {
    throw new Problem("malformed_request");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Problem("invalid_fields");
  }
  const fields = Object.entries(value);
  // Forms are flat. A name that comes twice is dropped by the parser; and a lone surrogate is no text:
  // it could not be stored, nor told from another.
  const names = [...text.matchAll(STRINGS)].filter(
    (string) => string[1] !== undefined,
  );
  if (fields.some(([, field]) => typeof field === "object"))
    throw new Problem("invalid_fields");
  const isBroken = fields.some(
    ([, field]) => typeof field === "string" && /\p{Surrogate}/u.test(field),
  );
  if (names.length !== fields.length || isBroken)
    throw new Problem("malformed_request");
  return Object.fromEntries(fields);
}
