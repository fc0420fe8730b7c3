/** What answers below `/auth`, and how it is found out who asks. Knows requests, and nothing of Next. */

import type { IncomingMessage } from "node:http";

import { isAPIError } from "better-auth/api";

import { fault } from "./audit";
[%- if module.tokens %]
import { Access } from "./bearer/access";
import type { ApiUser } from "./bearer/guard";
import { SURFACE as TOKENS } from "./bearer/surface";
[%- endif %]
import { [% if module.oidc and 'apple' in providers %]collected, [% endif %]type JsonObject, read } from "./body";
import { refusal } from "./csrf";
import { open } from "./db";
import { type Engine, engine } from "./engine";
import { incoming } from "./incoming";
import { Outbox } from "./mail";
[%- if module.oidc %]
import { calls } from "./oidc/calls";
import { Oidc } from "./oidc/metadata";
[%- if 'apple' in providers %]
import { asQuery, isPosted } from "./oidc/posted";
[%- endif %]
import { SURFACE as PROVIDERS } from "./oidc/surface";
[%- endif %]
[%- if ui == "pages" %]
import { formAt, again, wayBack } from "./pages/forms";
import { isForm, posted } from "./pages/posted";
import { keeping } from "./pages/typed";
[%- endif %]
import { Hasher } from "./passwords";
import { Problem } from "./problem";
import type { Settings } from "./settings";
import { Keys } from "./throttle";
import type { User } from "./user";
import { isLoopback } from "./variables";
import {
  carriesCookie,
  cookieNames,
  during,
  type Visit,
  visitOf,
} from "./visit";

// What answers, and nothing else of the library: method, then path.
const SURFACE: readonly (readonly [string, RegExp])[] = [
  ["POST", /^\/auth\/(?:register|login|logout|reauth|password|email|verify)$/],
  [
    "POST",
    /^\/auth\/(?:verify\/resend|password\/forgot|password\/reset|email\/confirm)$/,
  ],
  ["POST", /^\/auth\/sessions\/revoke-others$/],
  [
    "GET",
    /^\/auth\/(?:me|verify|password\/reset|email\/confirm|sessions|export)$/,
  ],
  ["DELETE", /^\/auth\/(?:account|sessions\/[A-Za-z0-9]{1,64})$/],
[%- if module.oidc %]
  ...PROVIDERS,
[%- endif %]
[%- if module.tokens %]
  ...TOKENS,
[%- endif %]
];

// ASVS 3.4.1 (HSTS), 3.4.3 (CSP), 3.4.4 (nosniff), 3.4.5 (Referrer-Policy), 3.4.6 (framing), 3.4.8
// (COOP), 14.3.2 (no-store).
const HEADERS = {
  "Cache-Control": "no-store",
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "X-Frame-Options": "DENY",
  "Content-Security-Policy":
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
};

/** How lately [% if module.oidc %]somebody must have signed in[% else %]the password must have been entered[% endif %]. */
export type Level = "any" | "fresh";

[% if module.tokens -%]
/** What an access token must be good for. */
export type Need = { readonly scope: string } | Level;

[% endif -%]
/** Asks an endpoint of the module. */
[% if ui == "pages" -%]
export type Ask<T> = (
  api: Engine["api"],
  visitor: { headers: Headers },
) => Promise<T>;

/** What an endpoint shows, or the code of its refusal. */
export type Shown<T> = { readonly found: T } | { readonly code: string };

[% else -%]
type Ask<T> = (api: Engine["api"], visitor: { headers: Headers }) => Promise<T>;

[% endif -%]
/** What an application holds of the module. */
export class Auth {
  readonly settings: Settings;
  readonly mail: Outbox;
  readonly #engine: Engine;
  readonly #close: () => void;
[%- if module.oidc %]

  constructor(
    settings: Settings,
    mail = new Outbox(settings),
    call = calls(settings.oidc),
  ) {
[%- else %]

  constructor(settings: Settings, mail = new Outbox(settings)) {
[%- endif %]
    const database = open(settings.database);
    this.settings = settings;
    this.mail = mail;
    const parts = {
      settings,
      mail,
      hasher: new Hasher(),
      keys: new Keys(settings),
[%- if module.oidc %]
      oidc: new Oidc(settings.oidc, call),
[%- endif %]
[%- if module.tokens %]
      access: new Access(settings),
[%- endif %]
    };
    this.#engine = engine(parts, database);
    this.#close = () => {
      mail.close();
      database.close();
    };
  }

  /** Waits for mail that is under way, and lets go of the database. */
  async close(): Promise<void> {
    await this.mail.idle();
    this.#close();
  }

  /** Answers a request below `/auth`. */
  async answer(request: Request): Promise<Response> {
    const headers = new Headers(HEADERS);
    try {
      const received = incoming();
      const visit = visitOf(received, this.settings);
      headers.set("X-Request-Id", visit.requestId);
      const target = received.url ?? "";
      const path = target.split("?", 1).join("");
      const fits = SURFACE.filter(([, pattern]) => pattern.test(path));
      this.#refuseRemoteDevelopment(received);
[%- if module.oidc and 'apple' in providers %]
      if (isPosted(this.settings.oidc, received.method, path)) {
        const location = asQuery(path, await collected(request.body));
        headers.set("Location", location);
        return Response.json({ location }, { headers, status: 303 });
      }
[%- endif %]
[%- if ui == "pages" %]
      if (isForm(received))
        return await this.#lead(received, request, visit, path, headers);
[%- endif %]
      if (fits.length === 0) throw new Problem("not_found");
      if (!fits.some(([method]) => method === received.method))
        throw new Problem("method_not_allowed");
      await this.#refuseForeign(received, visit);
      // What a client sends along with a request that shows or deletes is not looked at.
      const body =
        received.method === "POST" ? await read(received, request) : undefined;
      const { method = "GET", url = "" } = received;
      return await this.#forward({ method, url }, visit, body, headers);
    } catch (error) {
      return refused(error, headers);
    }
  }

  /** Answers a request of a handler of the application's own; only users get to `run`. */
  guard(level: Level, run: Run<User>): Promise<Response> {
    return guarded(() => this.user(level), run);
  }
[%- if module.tokens %]

  /** The same for programs with an access token. */
  guardApi(need: Need, run: Run<ApiUser>): Promise<Response> {
    return guarded(() => this.#apiUser(need), run);
  }

  /** Whose access token it is. No cookie counts here, so it does not matter which site a request comes from. */
  async #apiUser(need: Need): Promise<ApiUser> {
    const received = incoming();
    this.#refuseRemoteDevelopment(received);
    const { api } = this.#engine;
    const found = await during(visitOf(received, this.settings), () =>
      typeof need === "object"
        ? api.scopedApiUser({ query: need })
        : need === "fresh"
          ? api.freshApiUser()
          : api.apiUser(),
    );
    const { id, device, scope, authTime } = found;
    return { id, device, scope, authTime };
  }
[%- endif %]

  /** Who asks, or nobody. A request from another site is refused, and so is a password of long ago. */
  async user(level: Level): Promise<User | undefined> {
    const found = await this.#ask((api, visitor) =>
      level === "fresh" ? api.freshUser(visitor) : api.currentUser(visitor),
    );
    if (!found) return undefined;
[%- if module.oidc %]
    const { amr, authTime, email, id } = found;
    return { amr, authTime, email, id };
[%- else %]
    const { authTime, email, id } = found;
    return { authTime, email, id };
[%- endif %]
  }
[%- if ui == "pages" %]

  /** What an endpoint shows on a page. */
  async show<T>(ask: Ask<T>): Promise<Shown<T>> {
    try {
      return { found: await this.#ask(ask) };
    } catch (error) {
      if (!isAPIError(error)) throw error;
      return { code: error.body?.code ?? "unavailable" };
    }
  }
[%- endif %]

  /** Asks as the visitor at hand. A request from another site is refused. */
  async #ask<T>(ask: Ask<T>): Promise<T> {
    const received = incoming();
    this.#refuseRemoteDevelopment(received);
    const visit = visitOf(received, this.settings);
    await this.#refuseForeign(received, visit);
    const headers = new Headers(this.#headersOf(visit));
    return during(visit, () => ask(this.#engine.api, { headers }));
  }
[%- if ui == "pages" %]

  /** Answers a form of a page: with the way to a page, whatever came of it. */
  async #lead(
    received: IncomingMessage,
    request: Request,
    visit: Visit,
    path: string,
    headers: Headers,
  ): Promise<Response> {
    const form = formAt(path);
    if (!form) throw new Problem("not_found");
    await this.#refuseForeign(received, visit);
    const fields = await posted(received, request);
    const empty = form.fields.find((name) => fields[name] === undefined);
    const { method, path: url } = form.endpoint ?? { method: "POST", path };
    const answered =
      empty === undefined
        ? await this.#forward(
            { method, url },
            visit,
            method === "POST" ? { ...fields } : undefined,
            headers,
          )
        : undefined;
    const answer = ((await answered?.json()) ?? {}) as JsonObject;
    headers.delete("Content-Type");
    const isDone = answered?.ok === true;
    const kept = isDone ? undefined : keeping(this.settings, fields);
    if (kept !== undefined) headers.append("Set-Cookie", kept);
    const location = isDone
      ? form.then(fields, answer)
      : empty === undefined
        ? wayBack(form, fields, String(answer["code"]))
        : again(form, fields, { problem: "empty", at: empty });
    headers.set("Location", location);
    return new Response(null, { headers, status: 303 });
  }
[%- endif %]

  /** Passes a request to the library, at the configured origin whatever its `Host` says. */
  async #forward(
    { method, url }: { method: string; url: string },
    visit: Visit,
    body: JsonObject | undefined,
    headers: Headers,
  ): Promise<Response> {
    const passed = new Request(this.settings.baseUrl + url, {
      method,
      headers: {
        ...this.#headersOf(visit),
        "content-type": "application/json",
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const answered = await during(visit, () => this.#engine.handler(passed));
    const text = await answered.text();
    if (text === "")
      throw new Problem(answered.status === 404 ? "not_found" : "unavailable");
    for (const [name, value] of answered.headers) {
      if (name !== "set-cookie") headers.set(name, value);
    }
    for (const cookie of answered.headers.getSetCookie())
      headers.append("Set-Cookie", cookie);
    headers.set("Content-Type", "application/json");
    return new Response(text, { headers, status: answered.status });
  }

  /** What the library is told of a request: the module's own cookies, each if it came once. */
  #headersOf(visit: Visit): Record<string, string> {
    const names = cookieNames(this.settings);
    const cookie: Record<string, string> =
      visit.session === undefined
        ? {}
        : { cookie: `${names.session}=${visit.session}` };
    // The module has looked at the request's own `Origin` before.
    return {
      ...cookie,
      origin: this.settings.baseUrl,
      "user-agent": visit.agent,
    };
  }

  async #refuseForeign(received: IncomingMessage, visit: Visit): Promise<void> {
    const { baseUrl } = this.settings;
    const reason = refusal(received, baseUrl, carriesCookie(visit));
    if (reason === undefined) return;
    await during(visit, () =>
      this.#engine.api.recordRefusal({ query: { reason } }),
    );
    throw new Problem("foreign_request");
  }

  /** Development is for this machine only. */
  #refuseRemoteDevelopment(received: IncomingMessage): void {
    const { localAddress } = received.socket;
    if (this.settings.development && !isLoopback(localAddress ?? "localhost")) {
      throw new Problem("unavailable");
    }
  }
}

/** What answers a request once it is known who asks. */
type Run<U> = (user: U) => Response | Promise<Response>;

async function guarded<U>(
  find: () => Promise<U | undefined>,
  run: Run<U>,
): Promise<Response> {
  let user: U;
  try {
    const found = await find();
    if (!found) throw new Problem("not_signed_in");
    user = found;
  } catch (error) {
    return refused(error, new Headers());
  }
  const { body, headers, status, statusText } = await run(user);
  const kept = new Headers(headers);
  // The answer is for one user: it stays out of caches (ASVS 14.3.2).
  kept.set("Cache-Control", "no-store");
  return new Response(body, { headers: kept, status, statusText });
}

function refused(error: unknown, headers: Headers): Response {
  if (!isAPIError(error)) fault("a request failed", error);
  const problem = isAPIError(error) ? error : new Problem("unavailable");
  const { code, message } = problem.body ?? {};
  for (const [name, value] of new Headers(problem.headers))
    headers.set(name, value);
  headers.set("Cache-Control", "no-store");
  headers.set("X-Content-Type-Options", "nosniff");
  return Response.json(
    { code, message },
    { headers, status: problem.statusCode },
  );
}
