/** What browsers send of a form. */

import type { IncomingMessage } from "node:http";

import { collected } from "../body";
import { Problem } from "../problem";
import type { Fields } from "./forms";

const FORM_TYPE = /^application\/x-www-form-urlencoded\s*(?:;|$)/i;

/** A form that a browser sends from a page, since browsers then say that they want HTML. Else it is the API's. */
export function isForm({ headersDistinct, method }: IncomingMessage): boolean {
  const types = headersDistinct["content-type"] ?? [];
  const accepted = (headersDistinct["accept"] ?? []).join();
  return (
    method === "POST" &&
    types.length === 1 &&
    FORM_TYPE.test((types[0] ?? "").trim()) &&
    /\btext\/html\b/i.test(accepted)
  );
}

/**
 * The fields, each once: of a name that comes twice, two readers could take different ones (ASVS 15.3.7). A
 * broken encoding, for which the parser puts U+FFFD, could stand for another. Empty fields are left out.
 */
export async function posted(
  received: IncomingMessage,
  request: Request,
): Promise<Fields> {
  if (received.headers["content-encoding"] !== undefined)
    throw new Problem("malformed_request");
  const body = (await collected(request.body)).toString();
  const pairs = [...new URLSearchParams(body)];
  const isBroken = pairs.some((pair) => pair.join("").includes("\u{fffd}"));
  if (isBroken || new Set(pairs.map(([name]) => name)).size < pairs.length)
    throw new Problem("invalid_fields");
  return Object.fromEntries(pairs.filter(([, value]) => value !== ""));
}
