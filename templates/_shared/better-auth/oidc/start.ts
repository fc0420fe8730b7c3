/** The way to a provider. */

import { calculatePKCECodeChallenge } from "openid-client";
import * as z from "zod";

import { type Context, get, post } from "../endpoint[= js =]";
import { perSource } from "../limits[= js =]";
import { isLocalPath } from "../localPath[= js =]";
import type { Parts } from "../parts[= js =]";
import { Problem } from "../problem[= js =]";
import { type Account, current, fresh } from "../user[= js =]";
import { told } from "./failure[= js =]";
import type { Provider } from "./settings[= js =]";
import { type Intent, open, type Opened } from "./transaction[= js =]";

// A month: old enough to make hardly anybody enter a password for it, in seconds.
const ANY_AGE = 2_592_000;
const HOME = "/";

// Where somebody wants to be after signing in.
const WISH = { next: z.string().default("") };

/** The provider that a request's path names. */
export function named(ctx: Context, parts: Parts): Provider {
  const { provider: name } = ctx.params as Record<string, string>;
  const provider = parts.settings.oidc.providers.get(name ?? "");
  if (!provider) throw new Problem("provider_unknown");
  return provider;
}

/**
 * Where the provider sends the browser back to: another path for each, so that one cannot pass its answer
 * off as another's (RFC 9700 4.4.2). Made of the settings, whatever `Host` a request had.
 */
export function redirectUri(parts: Parts, { preset }: Provider): string {
  return `${parts.settings.baseUrl}/auth/oidc/${preset.id}/callback`;
}

async function begin(
  ctx: Context,
  parts: Parts,
  intent: Intent,
  user: Account | undefined,
  wanted: string,
): Promise<{ location: string }> {
  await perSource(ctx, parts, "oidc", parts.settings.policy.loginSource);
  const provider = named(ctx, parts);
  if (intent === "reauth" && !provider.preset.reauth)
    throw new Problem("reauth_unsupported");
  const next = isLocalPath(wanted) ? wanted : HOME;
  const [address, opened] = await told(ctx, parts, async () => {
    // Asked for before a transaction is opened: a dead provider leaves none behind.
    const address = await authorizeAt(parts, provider);
    const wish = { provider, intent, user, next };
    return [address, await open(ctx, parts, wish)] as const;
  });
  const location = new URL(address);
  const asked = await question(parts, provider, intent, opened);
  // What the address has already does not stand beside what is asked, nor in its place.
  for (const [name, value] of Object.entries(asked))
    location.searchParams.set(name, value);
  return { location: location.href };
}

async function authorizeAt(parts: Parts, provider: Provider): Promise<string> {
[%- if 'github' in providers %]
  if (provider.preset.endpoints) return provider.preset.endpoints.authorize;
[%- endif %]
  return (await parts.oidc.known(provider)).authorize;
}

/** What the provider is asked (OpenID Connect Core 3.1.2.1, RFC 7636 4.3). */
async function question(
  parts: Parts,
  provider: Provider,
  intent: Intent,
  { nonce, state, verifier }: Opened,
): Promise<Record<string, string>> {
  const { clientId, preset } = provider;
  return {
    response_type: "code",
    client_id: clientId,
    redirect_uri: redirectUri(parts, provider),
    scope: preset.scopes.join(" "),
    state,
    code_challenge: await calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
[%- if 'github' in providers %]
    ...(preset.endpoints ? {} : { nonce }),
[%- else %]
    nonce,
[%- endif %]
    ...freshness(provider, intent),
    ...(preset.formPost ? { response_mode: "form_post" } : {}),
  };
}

/** How lately, and how, somebody must have signed in there. */
function freshness(
  { acr, maxAge, preset }: Provider,
  intent: Intent,
): Record<string, string> {
  const strength: Record<string, string> = acr ? { acr_values: acr } : {};
  if (intent === "reauth")
    return { ...strength, prompt: "login", max_age: "0" };
  // Asked for an age, a provider says when somebody signed in (OpenID Connect Core 3.1.2.1).
  const age = maxAge ?? (preset.reauth ? ANY_AGE : undefined);
  return {
    ...strength,
    ...(preset.prompt === undefined ? {} : { prompt: preset.prompt }),
    ...(age === undefined ? {} : { max_age: String(age) }),
  };
}

export function startEndpoints(parts: Parts) {
  return {
    // The providers that people can choose from.
    providers: get("/providers", () => {
      const found = [...parts.settings.oidc.providers.values()];
      return Promise.resolve({
        providers: found.map(({ preset: { id, name } }) => ({ id, name })),
      });
    }),

    startOidc: post("/oidc/:provider/start", WISH, (ctx, { next }) =>
      begin(ctx, parts, "login", undefined, next),
    ),

    // Takes a session that was signed in to lately, and a request of this site: who is linked can sign in
    // from then on (ASVS 7.5.1).
    linkOidc: post("/oidc/:provider/link", WISH, async (ctx, { next }) =>
      begin(ctx, parts, "link", await fresh(ctx, parts), next),
    ),

    // In place of entering a password again: the provider must have somebody sign in anew.
    reauthOidc: post("/oidc/:provider/reauth", WISH, async (ctx, { next }) =>
      begin(ctx, parts, "reauth", await current(ctx, parts), next),
    ),
  };
}
