/**
 * Authentication: accounts with e-mail and password[% if module.oidc %] or at providers[% endif %], sessions, verification and reset by mail.
 *
 * Every page, action and handler asks for itself: what a proxy or a layout decided protects nothing
 * that is reached past it.
 */

import { headers } from "next/headers";
import { redirect } from "next/navigation";

[% if module.tokens -%]
import type { ApiUser } from "./bearer/guard";
[% endif -%]
import { [% if ui == "pages" %]incoming, [% endif %]isShown } from "./incoming";
[%- if ui == "pages" %]
import { REAUTH } from "./pages/forms";
[%- endif %]
import { running } from "./running";
import type { [% if ui == "pages" %]Ask, [% endif %]Level[% if module.tokens %], Need[% endif %][% if ui == "pages" %], Shown[% endif %] } from "./server";
import type { User } from "./user";

[% if module.tokens -%]
export type { ApiUser } from "./bearer/guard";
[% endif -%]
export type { User } from "./user";

type Handler<U, C> = (
  user: U,
  request: Request,
  context: C,
) => Response | Promise<Response>;

/** For pages and actions: who is signed in, or nobody. */
export function currentUser(): Promise<User | undefined> {
  return find("any");
}

[% if ui == "pages" -%]
/** For pages and actions: who is signed in. Everybody else goes to the page `AUTH_SIGN_IN_PATH`, and from there back. */
export async function requireUser(): Promise<User> {
  return (await find("any")) ?? redirect(by(running().settings.signInPath));
}

/**
 * For pages and actions: who entered the password a short while ago. Everybody else is asked to sign in, or
 * for the password, and led back.
 */
export async function requireFreshUser(): Promise<User> {
  const user = await requireUser();
  const { policy } = running().settings;
  const isFresh = Date.now() / 1000 - user.authTime < policy.reauth;
  return isFresh ? user : redirect(by(REAUTH));
}

/** The way to a page that leads back to the one at hand. A way back must not change anything. */
function by(page: string): string {
  const { method, url = "" } = incoming();
  if (method !== "GET") return page;
  const [path = "", query] = url.split("?", 2);
  const asked = new URLSearchParams(query);
  // Next's own, where it fetches a page by script.
  asked.delete("_rsc");
  const next = asked.size > 0 ? `${path}?${asked.toString()}` : path;
  return `${page}?${new URLSearchParams({ next }).toString()}`;
}
[%- else -%]
/** For pages and actions: who is signed in. Everybody else goes to the page `AUTH_SIGN_IN_PATH`. */
export async function requireUser(): Promise<User> {
  return (await find("any")) ?? redirect(running().settings.signInPath);
}

/**
 * For pages and actions: who [% if module.oidc %]signed in[% else %]entered the password[% endif %] a short while ago. Everybody else goes to the page
 * `AUTH_SIGN_IN_PATH`, signed-in users with `?again`.
 */
export async function requireFreshUser(): Promise<User> {
  const user = await requireUser();
  const { settings } = running();
  const isFresh = Date.now() / 1000 - user.authTime < settings.policy.reauth;
  return isFresh ? user : redirect(`${settings.signInPath}?again`);
}
[%- endif %]

/** For handlers: lets signed-in users through; everybody else gets 401. */
export function withUser<C>(run: Handler<User, C>) {
  return guarded("any", run);
}

/** For handlers: lets users through who [% if module.oidc %]signed in[% else %]entered the password[% endif %] lately; everybody else gets 401 or 403. */
export function withFreshUser<C>(run: Handler<User, C>) {
  return guarded("fresh", run);
}
[%- if module.tokens %]

/** For handlers: lets programs through that have an access token; everybody else gets 401. */
export function withApiUser<C>(run: Handler<ApiUser, C>) {
  return guardedApi("any", run);
}

/** For handlers: lets programs through whose access token has the scope; everybody else gets 401 or 403. */
export function withScope<C>(scope: string, run: Handler<ApiUser, C>) {
  return guardedApi({ scope }, run);
}

/** For handlers: lets programs through whose user signed in lately; everybody else gets 401 or 403. */
export function withFreshApiUser<C>(run: Handler<ApiUser, C>) {
  return guardedApi("fresh", run);
}
[%- endif %]

[% if ui == "pages" -%]
/** For the module's own pages: what an endpoint shows whoever asks. */
export async function show<T>(ask: Ask<T>): Promise<Shown<T>> {
  await refuseStored();
  return running().show(ask);
}

[% endif -%]
/** What answers below `/auth`. */
export async function handle(request: Request): Promise<Response> {
  await refuseStored();
  return running().answer(request);
}

async function find(level: Level): Promise<User | undefined> {
  await refuseStored();
  return running().user(level);
}

function guarded<C>(level: Level, run: Handler<User, C>) {
  return async (request: Request, context: C): Promise<Response> => {
    await refuseStored();
    return running().guard(level, (user) => run(user, request, context));
  };
}
[%- if module.tokens %]

function guardedApi<C>(need: Need, run: Handler<ApiUser, C>) {
  return async (request: Request, context: C): Promise<Response> => {
    await refuseStored();
    return running().guardApi(need, (user) => run(user, request, context));
  };
}
[%- endif %]

/**
 * Tells Next that the answer is for this request alone: it is neither rendered before nor stored. A route
 * that is stored all the same fails, when it is built or when it is asked for.
 */
async function refuseStored(): Promise<void> {
  if (isShown(await headers())) return;
  throw new Error(
    'who is signed in was asked for by a route whose answer Next stores for everybody: take `dynamic = "force-static"` out of it and of the layouts above it',
  );
}
