/** Sign-in at a provider that has OAuth 2 and no OpenID Connect: who somebody is, its API says. */

import { type Configuration, fetchProtectedResource } from "openid-client";
import * as z from "zod";

import { now, unix } from "../time[= js =]";
import { exchanged, meaning, type Person, type Returned } from "./exchange[= js =]";
import { Unavailable, warn } from "./failure[= js =]";
import { client, type Oidc } from "./metadata[= js =]";
import type { Endpoints } from "./preset[= js =]";
import type { Provider } from "./settings[= js =]";

// The number is never given to anybody else, as names are.
const PROFILE = z.object({ id: z.int().min(0) });

const ADDRESSES = z.array(
  z.object({ email: z.string(), primary: z.boolean(), verified: z.boolean() }),
);

export async function person(
  oidc: Oidc,
  provider: Provider,
  endpoints: Endpoints,
  returned: Returned,
): Promise<Person> {
  const config = client(provider, oidc.call, oidc.settings, {
    issuer: provider.issuer,
    token_endpoint: endpoints.token,
  });
  const { access_token: token } = await exchanged(config, returned);
  const profile = await shown(config, token, endpoints.user, PROFILE);
  const addresses = await shown(config, token, endpoints.emails, ADDRESSES);
  const address = addresses.find(({ primary }) => primary);
  return {
    issuer: provider.issuer,
    subject: String(profile.id),
    email: address?.email,
    isVerified: address?.verified ?? false,
    authTime: unix(now()),
  };
}

/** What an access token opens. */
async function shown<T>(
  config: Configuration,
  token: string,
  address: string,
  shape: z.ZodType<T>,
): Promise<T> {
  const what = "a provider's API failed";
  let answer: Response;
  try {
    answer = await fetchProtectedResource(
      config,
      token,
      new URL(address),
      "GET",
    );
  } catch (error) {
    throw meaning(error, what);
  }
  const said: unknown = await answer.json().catch(() => undefined);
  const read = shape.safeParse(said);
  if (answer.status === 200 && read.success) return read.data;
  warn(what, `status ${String(answer.status)}`);
  throw new Unavailable();
}
