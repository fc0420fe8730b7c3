/**
 * Calls to providers: TLS that is verified, no redirects, little patience, small answers (ASVS 12.3.2,
 * 15.3.2, 13.2.6).
 */

import { once } from "node:events";
import * as http from "node:http";
import * as https from "node:https";
import { rootCertificates } from "node:tls";

import type { FetchBody } from "openid-client";

import { isSafe, type Settings } from "./settings[= js =]";

// More than any description, set of keys or token takes.
const MAX_ANSWER = 1 << 20;

/** Why a call brought nothing. The text names no token: those are never in an address. */
export class CallError extends Error {}

export interface Asked {
  readonly method: string;
  readonly headers: Headers | Record<string, string>;
  readonly body?: FetchBody;
}

/** What the libraries call providers with. */
export type Call = (address: string, asked: Asked) => Promise<Response>;

/** Makes calls with the settings' bounds. Redirects and failures of the server are errors. */
export function calls(settings: Settings): Call {
  const { authorities, development } = settings;
  // A connection of its own for each call: every one of them looks at the certificate.
  const agent = new https.Agent({
    maxCachedSessions: 0,
    ...(authorities === undefined
      ? {}
      : { ca: [...rootCertificates, authorities] }),
  });
  return async (address, asked) => {
    if (!isSafe(address, development))
      throw new CallError("an address without TLS");
    const url = new URL(address);
    const signal = AbortSignal.timeout(settings.timeout * 1000);
    try {
      const request =
        url.protocol === "https:"
          ? https.request(url, { ...head(asked), agent, signal })
          : http.request(url, { ...head(asked), signal });
      return await answered(request, asked, signal);
    } catch (error) {
      if (error instanceof CallError) throw error;
      const { code, name } = error as NodeJS.ErrnoException;
      throw new CallError(
        signal.aborted ? "no answer in time" : (code ?? name),
      );
    }
  };
}

/** What is small may be large when it is unpacked. */
function head({ method, headers }: Asked): http.RequestOptions {
  const given = Object.fromEntries(new Headers(headers));
  return { method, headers: { ...given, "accept-encoding": "identity" } };
}

async function answered(
  request: http.ClientRequest,
  { body }: Asked,
  signal: AbortSignal,
): Promise<Response> {
  // One that ends later has been told by its answer.
  request.on("error", () => undefined);
  // Both libraries send forms, or nothing.
  request.end(body instanceof URLSearchParams ? body.toString() : undefined);
  const [answer] = (await once(request, "response", { signal })) as [
    http.IncomingMessage,
  ];
  const { headers, statusCode: status = 0 } = answer;
  // An answer must not choose who else is called (SSRF).
  if (status < 200 || (status >= 300 && status < 400) || status >= 500) {
    request.destroy();
    throw new CallError(`status ${String(status)}`);
  }
  const content = await collected(answer);
  return new Response(content.length === 0 ? null : content, {
    status,
    headers: { "content-type": headers["content-type"] ?? "" },
  });
}

async function collected(
  answer: http.IncomingMessage,
): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > MAX_ANSWER) throw new CallError("an answer of more than a MiB");
  }
  return new Uint8Array(Buffer.concat(chunks));
}
