/** Request bodies: JSON objects, small, read once and strictly. */

import type { IncomingMessage } from "node:http";

import { Problem } from "./problem[= js =]";

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
  request: IncomingMessage,
): Promise<JsonObject | undefined> {
  const types = request.headersDistinct["content-type"] ?? [];
  const isEmpty =
    request.headers["transfer-encoding"] === undefined &&
    ["0", undefined].includes(request.headers["content-length"]);
  if (isEmpty && types.length === 0) return undefined;
  const isJson = types.length === 1 && JSON_TYPE.test((types[0] ?? "").trim());
  if (!isJson || request.headers["content-encoding"] !== undefined) {
    throw new Problem("json_required");
  }
  return parsed(await collected(request));
}

[% if module.oidc and 'apple' in providers %]export [% endif %]function collected(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const end = (outcome: () => void) => {
      clearTimeout(timer);
      request.off("data", take);
      outcome();
    };
    const fail = (code: "body_too_large" | "malformed_request") => {
      end(() => {
        // What is still under way is not read.
        request.pause();
        reject(new Problem(code, { Connection: "close" }));
      });
    };
    const take = (chunk: Buffer) => {
      chunks.push(chunk);
      size += chunk.length;
      if (size > MAX_BODY) fail("body_too_large");
    };
    const timer = setTimeout(fail, READ_MILLISECONDS, "malformed_request");
    request.on("data", take);
    request.once("error", () => {
      fail("malformed_request");
    });
    request.once("end", () => {
      end(() => {
        resolve(Buffer.concat(chunks));
      });
    });
  });
}

[% include "better_auth_body.ts" -%]
