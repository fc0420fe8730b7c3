/** Request bodies: JSON objects, small, read once and strictly. */

import type { IncomingMessage } from "node:http";

import { Problem } from "./problem";

// More than any form of this module needs; bounds memory before anything is parsed.
const MAX_BODY = 64 * 1024;
// A body that trickles in for longer is given up.
const READ_MILLISECONDS = 15_000;
// A type that a cross-site form cannot send (ASVS 3.5.2).
const JSON_TYPE = /^application\/json\s*(?:;\s*charset="?utf-8"?)?$/i;
const STRINGS = /"(?:[^"\\]|\\.)*"(\s*:)?/g;

export type JsonObject = Record<string, unknown>;

/** The body of a request, or nothing where there is none. */
export async function read(
  received: IncomingMessage,
  request: Request,
): Promise<JsonObject | undefined> {
  const types = received.headersDistinct["content-type"] ?? [];
  const isEmpty =
    received.headers["transfer-encoding"] === undefined &&
    ["0", undefined].includes(received.headers["content-length"]);
  if (isEmpty && types.length === 0) return undefined;
  const isJson = types.length === 1 && JSON_TYPE.test((types[0] ?? "").trim());
  if (!isJson || received.headers["content-encoding"] !== undefined) {
    throw new Problem("json_required");
  }
  return parsed(await collected(request.body));
}

[% if ui == "pages" or module.oidc and 'apple' in providers %]export [% endif %]async function collected(
  body: ReadableStream<Uint8Array> | null,
): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  if (!body) return Buffer.alloc(0);
  const reader = body.getReader();
  const late = setTimeout(() => void reader.cancel(), READ_MILLISECONDS);
  const from = performance.now();
  try {
    let size = 0;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      chunks.push(value);
      size += value.length;
      // What is still under way is not read.
      if (size > MAX_BODY)
        throw new Problem("body_too_large", { Connection: "close" });
    }
  } catch (error) {
    void reader.cancel().catch(() => undefined);
    throw error instanceof Problem ? error : new Problem("malformed_request");
  } finally {
    clearTimeout(late);
  }
  if (performance.now() - from >= READ_MILLISECONDS)
    throw new Problem("malformed_request", { Connection: "close" });
  return Buffer.concat(chunks);
}

[% include "better_auth_body.ts" -%]
