/**
 * The request as Node received it. Next hands handlers a `Request`, and pages none: neither has the
 * socket's peer, and both join a header that came twice.
 *
 * Node announces every request of its servers before anybody sees it. What is kept then follows the
 * request through Next, to handlers, pages and actions alike.
 */

import { AsyncLocalStorage } from "node:async_hooks";
import { subscribe } from "node:diagnostics_channel";
import type { IncomingMessage, Server[% if ui == "pages" %], ServerResponse[% endif %] } from "node:http";

[% if ui == "pages" -%]
import { fence } from "./pages/fence";
[% endif -%]
import { Problem } from "./problem";

// Next bundles the start, handlers and pages apart: what they share is not in a module.
const KEY = Symbol.for("auth.incoming");

type Shared = typeof globalThis & {
  [KEY]?: AsyncLocalStorage<IncomingMessage>;
};

const shared = globalThis as Shared;

/** What Node tells of a request. */
export interface Announced {
  readonly request: IncomingMessage;
[%- if ui == "pages" %]
  readonly response: ServerResponse;
[%- endif %]
  readonly server: Server;
}

/** Next tells its port in `PORT`. Other servers of the process, such as one for metrics, are not its. */
function isNexts({ request }: Announced): boolean {
  return String(request.socket.localPort) === process.env["PORT"];
}

/** Keeps each request to Next's server from now on, and shows it to `look` first. */
export function watch(
  look: (announced: Announced) => void = () => undefined,
  isOurs: (announced: Announced) => boolean = isNexts,
) {
  const requests = shared[KEY] ?? new AsyncLocalStorage<IncomingMessage>();
  shared[KEY] = requests;
  subscribe("http.server.request.start", (message) => {
    const announced = message as Announced;
    if (!isOurs(announced)) return;
    look(announced);
    mend(announced.request);
[%- if ui == "pages" %]
    fence(announced.request, announced.response);
[%- endif %]
    requests.enterWith(announced.request);
  });
}

/**
 * What Next would answer wrongly. A whole URL as target counts for its path (RFC 9112 3.2.2), whatever
 * host it names: Next would send the client there. `TRACE` counts as `OPTIONS`, which gives nothing back
 * either: Next would fail (ASVS 13.4.4).
 */
function mend(request: IncomingMessage): void {
  const target = request.url ?? "/";
  if (!target.startsWith("/") && URL.canParse(target)) {
    const { pathname, search } = new URL(target);
    request.url = pathname + search;
  }
  if (request.method === "TRACE") request.method = "OPTIONS";
}

/** The request at hand. Where none was announced, nobody can be told apart: nothing is answered. */
export function incoming(): IncomingMessage {
  const request = shared[KEY]?.getStore();
  if (!request) throw new Problem("unavailable");
  return request;
}

/**
 * Whether `seen`, the headers that Next shows, are those of the request at hand. It shows none where it
 * stores the answer for everybody, and what this module keeps must not be used there either. Where no
 * request was announced, [`incoming`] refuses.
 */
export function isShown(seen: Pick<Headers, "get" | "keys">): boolean {
  const request = shared[KEY]?.getStore();
  const cookie = request?.headers.cookie ?? null;
  const isNone = seen.keys().next().done === true;
  return !isNone && (!request || seen.get("cookie") === cookie);
}
