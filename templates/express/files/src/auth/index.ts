/**
 * Authentication: accounts with e-mail and password[% if module.oidc %] or at providers[% endif %], sessions, verification and reset by mail.
 *
 * `attach(app)` puts the routes below `/auth` into an Express application; `requireUser` guards others.
 */

import { subscribe } from "node:diagnostics_channel";
import type { IncomingMessage } from "node:http";
import type { Server } from "node:net";

import { isAPIError } from "better-auth/api";
import type {
  Application,
  NextFunction,
  Request as ExpressRequest,
  RequestHandler,
  Response as ExpressResponse,
} from "express";

import { fault } from "./audit[= js =]";
[%- if module.tokens %]
import { Access } from "./bearer/access[= js =]";
import type { ApiUser } from "./bearer/guard[= js =]";
import { SURFACE as TOKENS } from "./bearer/surface[= js =]";
[%- endif %]
import { [% if module.oidc and 'apple' in providers %]collected, [% endif %]type JsonObject, read } from "./body[= js =]";
import { refusal } from "./csrf[= js =]";
import { open } from "./db[= js =]";
import { type Engine, engine } from "./engine[= js =]";
import { Outbox } from "./mail[= js =]";
[%- if module.oidc %]
import { calls } from "./oidc/calls[= js =]";
import { Oidc } from "./oidc/metadata[= js =]";
[%- if 'apple' in providers %]
import { asQuery, isPosted } from "./oidc/posted[= js =]";
[%- endif %]
import { SURFACE as PROVIDERS } from "./oidc/surface[= js =]";
[%- endif %]
import { Hasher } from "./passwords[= js =]";
import { Problem } from "./problem[= js =]";
import { fromEnvironment, type Settings } from "./settings[= js =]";
import { Keys } from "./throttle[= js =]";
import type { User } from "./user[= js =]";
import { isLoopback } from "./variables[= js =]";
import {
  carriesCookie,
  cookieNames,
  during,
  type Visit,
  visitOf,
} from "./visit[= js =]";

[% if module.tokens -%]
export type { ApiUser } from "./bearer/guard[= js =]";
[% endif -%]
export type { Settings } from "./settings[= js =]";
export type { User } from "./user[= js =]";

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

/** What an application holds of the module. */
export class Auth {
  readonly settings: Settings;
  readonly engine: Engine;
  readonly mail: Outbox;
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
    this.engine = engine(parts, database);
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
}

// By request, since an application may be mounted in another.
const attached = new WeakMap<IncomingMessage, Auth>();
const users = new WeakMap<IncomingMessage, User>();
[%- if module.tokens %]
const apiUsers = new WeakMap<IncomingMessage, ApiUser>();
[%- endif %]

/**
 * Adds the routes and what guards need to an application, before anything else of it. Settings are read
 * from the environment unless they are given; what is missing ends the start.
 */
export function attach(
  app: Application,
  settings: Settings = fromEnvironment(),
  mail = new Outbox(settings),
[%- if module.oidc %]
  call = calls(settings.oidc),
[%- endif %]
): Auth {
  const auth = new Auth(settings, mail[% if module.oidc %], call[% endif %]);
  app.disable("x-powered-by");
  app.use((request, _response, next) => {
    attached.set(request, auth);
    next();
  });
  app.use("/auth", (request, response, next) => {
    void answer(auth, request, response, next);
  });
  if (settings.development) {
    stayLocal();
    const where = settings.baseUrl;
    console.log(
      `auth: DEVELOPMENT on ${where}: cookies without Secure, mail in .auth-dev/mail`,
    );
  }
  return auth;
}

/** Ends a development start that other machines can reach. */
function stayLocal(): void {
  subscribe("tracing:net.server.listen:asyncEnd", (message) => {
    const place = (message as { server: Server }).server.address();
    if (
      place === null ||
      typeof place === "string" ||
      isLoopback(place.address)
    )
      return;
    console.error(
      "auth: AUTH_ENV is development, which is for this machine only",
    );
    console.error(
      `  Listen on 127.0.0.1 instead of ${place.address}: app.listen(port, "127.0.0.1")`,
    );
    process.exit(1);
  });
}

/** Answers below `/auth`; what is none of the module's routes goes on to the application's. */
async function answer(
  auth: Auth,
  request: ExpressRequest,
  response: ExpressResponse,
  next: NextFunction,
): Promise<void> {
  const visit = visitOf(request, auth.settings);
  response.set({ ...HEADERS, "X-Request-Id": visit.requestId });
  try {
    const path = request.originalUrl.split("?", 1).join("");
    const fits = SURFACE.filter(([, pattern]) => pattern.test(path));
    refuseRemoteDevelopment(auth, request);
[%- if module.oidc and 'apple' in providers %]
    if (isPosted(auth.settings.oidc, request.method, path)) {
      const location = asQuery(path, await collected(request));
      response.status(303).set("Location", location).json({ location });
      return;
    }
[%- endif %]
    if (fits.length === 0) {
      next();
      return;
    }
    if (!fits.some(([method]) => method === request.method))
      throw new Problem("method_not_allowed");
    await refuseForeign(auth, request, visit);
    // What a client sends along with a request that shows or deletes is not looked at.
    const body = request.method === "POST" ? await read(request) : undefined;
    await forward(auth, request, response, visit, body);
  } catch (error) {
    refuse(response, error);
  }
}

/** Passes a request to the library, at the configured origin whatever its `Host` says. */
async function forward(
  auth: Auth,
  request: ExpressRequest,
  response: ExpressResponse,
  visit: Visit,
  body: JsonObject | undefined,
): Promise<void> {
  const passed = new Request(auth.settings.baseUrl + request.originalUrl, {
    method: request.method,
    headers: { ...headersOf(auth, visit), "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const answered = await during(visit, () => auth.engine.handler(passed));
  for (const [name, value] of answered.headers) {
    if (name !== "set-cookie") response.setHeader(name, value);
  }
  response.status(answered.status);
  for (const cookie of answered.headers.getSetCookie())
    response.append("Set-Cookie", cookie);
  const text = await answered.text();
  if (text === "")
    throw new Problem(answered.status === 404 ? "not_found" : "unavailable");
  response.type("application/json").send(text);
}

/** What the library is told of a request: the module's own cookies, each if it came once. */
function headersOf(auth: Auth, visit: Visit): Record<string, string> {
  const names = cookieNames(auth.settings);
  const cookie: Record<string, string> =
    visit.session === undefined
      ? {}
      : { cookie: `${names.session}=${visit.session}` };
  // The module has looked at the request's own `Origin` before.
  return {
    ...cookie,
    origin: auth.settings.baseUrl,
    "user-agent": visit.agent,
  };
}

async function refuseForeign(
  auth: Auth,
  request: IncomingMessage,
  visit: Visit,
): Promise<void> {
  const { baseUrl } = auth.settings;
  const reason = refusal(request, baseUrl, carriesCookie(visit));
  if (reason === undefined) return;
  await during(visit, () =>
    auth.engine.api.recordRefusal({ query: { reason } }),
  );
  throw new Problem("foreign_request");
}

/** Development is for this machine only. */
function refuseRemoteDevelopment(auth: Auth, request: IncomingMessage): void {
  const { localAddress } = request.socket;
  if (auth.settings.development && !isLoopback(localAddress ?? "localhost")) {
    throw new Problem("unavailable");
  }
}

function refuse(response: ExpressResponse, error: unknown): void {
  if (!isAPIError(error)) fault("a request failed", error);
  const problem = isAPIError(error) ? error : new Problem("unavailable");
  if (response.headersSent) return;
  const { code, message } = problem.body ?? {};
  for (const [name, value] of new Headers(problem.headers))
    response.setHeader(name, value);
  response.set({
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
  });
  response.status(problem.statusCode).json({ code, message });
}

/** A guard: finds out who asks, and lets nobody through at whom `admit` throws. */
function guarding(
  admit: (auth: Auth, request: ExpressRequest, visit: Visit) => Promise<void>,
): RequestHandler {
  return (request, response, next) => {
    const check = async () => {
      const auth = attached.get(request);
      if (!auth) throw new Problem("unavailable");
      refuseRemoteDevelopment(auth, request);
      await admit(auth, request, visitOf(request, auth.settings));
      // The answer is for one user: it stays out of caches (ASVS 14.3.2).
      response.set("Cache-Control", "no-store");
    };
    check().then(
      () => {
        next();
      },
      (error: unknown) => {
        refuse(response, error);
      },
    );
  };
}

/** A guard of what people do in a browser. */
function guard(
  find: (auth: Auth, headers: Headers) => Promise<User | undefined>,
): RequestHandler {
  return guarding(async (auth, request, visit) => {
    await refuseForeign(auth, request, visit);
    const user = await during(visit, () =>
      find(auth, new Headers(headersOf(auth, visit))),
    );
    if (!user) throw new Problem("not_signed_in");
    users.set(request, user);
  });
}

/** Lets signed-in users through; everybody else gets 401. */
export const requireUser: RequestHandler = guard(async (auth, headers) => {
  return (await auth.engine.api.currentUser({ headers })) ?? undefined;
});

/** Lets users through who [% if module.oidc %]signed in[% else %]entered the password[% endif %] lately; everybody else gets 401 or 403. */
export const requireFreshUser: RequestHandler = guard((auth, headers) => {
  return auth.engine.api.freshUser({ headers });
});

/** The user whom a guard let through. Without a guard before it, this is an error. */
export function currentUser(request: IncomingMessage): User {
  const user = users.get(request);
  if (!user)
    throw new Error("no guard was in front of this route: add `requireUser`");
  return user;
}
[%- if module.tokens %]

/** A guard of an API. No cookie counts here, so it does not matter which site a request comes from. */
function apiGuard(find: (auth: Auth) => Promise<ApiUser>): RequestHandler {
  return guarding(async (auth, request, visit) => {
    const { id, device, scope, authTime } = await during(visit, () =>
      find(auth),
    );
    apiUsers.set(request, { id, device, scope, authTime });
  });
}

/** Lets programs through that have an access token; everybody else gets 401. */
export const requireApiUser: RequestHandler = apiGuard((auth) => {
  return auth.engine.api.apiUser();
});

/** Lets programs through whose access token has the scope; everybody else gets 401 or 403. */
export function requireScope(scope: string): RequestHandler {
  return apiGuard((auth) =>
    auth.engine.api.scopedApiUser({ query: { scope } }),
  );
}

/** Lets programs through whose user signed in lately; everybody else gets 401 or 403. */
export const requireFreshApiUser: RequestHandler = apiGuard((auth) => {
  return auth.engine.api.freshApiUser();
});

/** The user of the program that a guard let through. Without a guard before it, this is an error. */
export function currentApiUser(request: IncomingMessage): ApiUser {
  const user = apiUsers.get(request);
  if (!user) {
    throw new Error(
      "no guard was in front of this route: add `requireApiUser`",
    );
  }
  return user;
}
[%- endif %]
