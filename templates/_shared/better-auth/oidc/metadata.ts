/** What providers say about themselves: their endpoints and keys, kept for a while. */

import { createRemoteJWKSet, customFetch as fetchKeys } from "jose";
import * as openid from "openid-client";
import * as z from "zod";

import { type Call, CallError } from "./calls[= js =]";
import { Unavailable, warn } from "./failure[= js =]";
import { isSafe, type Provider, type Settings } from "./settings[= js =]";

/** How far a provider's clock may be off, in seconds. */
export const LEEWAY_SECONDS = 60;

type Extension = (config: openid.Configuration) => void;

// In development, a provider on this machine may do without TLS: `isSafe` still looks at each address. The
// library's types call it deprecated, for it to stand out.
const INSECURE = (openid as { allowInsecureRequests: Extension })
  .allowInsecureRequests;

/** What counts of a provider's metadata (OpenID Connect Discovery 3). */
const DESCRIPTION = z.object({
  issuer: z.string(),
  authorization_endpoint: z.url(),
  token_endpoint: z.url(),
  jwks_uri: z.url(),
  userinfo_endpoint: z.url().optional(),
  // RFC 9207: every answer says whose it is.
  authorization_response_iss_parameter_supported: z.boolean().default(false),
});

type Description = z.infer<typeof DESCRIPTION>;

/** What a provider said, as the libraries take it. */
export interface Known {
  readonly config: openid.Configuration;
  readonly authorize: string;
  readonly keys: ReturnType<typeof createRemoteJWKSet>;
  readonly hasUserInfo: boolean;
  readonly fetched: number;
}

/**
 * One provider's description. Who comes while it is fetched waits for the same answer, also for none:
 * asking in turn, the last of many would wait for all timeouts of a dead provider.
 */
class Cache {
  readonly #fetch: () => Promise<Known>;
  readonly #milliseconds: number;
  #known: Known | undefined;
  #asking: Promise<Known> | undefined;

  constructor(provider: Provider, call: Call, settings: Settings) {
    this.#fetch = () => fetched(provider, call, settings);
    this.#milliseconds = settings.keys * 1000;
  }

  async get(): Promise<Known> {
    const known = this.#known;
    if (known && Date.now() - known.fetched < this.#milliseconds) return known;
    this.#asking ??= this.#fetch().finally(() => {
      this.#asking = undefined;
    });
    this.#known = await this.#asking;
    return this.#known;
  }
}

async function fetched(
  provider: Provider,
  call: Call,
  settings: Settings,
): Promise<Known> {
  const at = Date.now();
  const said = await described(provider, call, settings);
  const { userinfo_endpoint: userInfo, ...needed } = said;
  return {
    config: client(provider, call, settings, {
      ...needed,
      ...(userInfo === undefined ? {} : { userinfo_endpoint: userInfo }),
      // Those that are accepted, whatever the provider signs with elsewhere (RFC 8725 3.1).
      id_token_signing_alg_values_supported: [...provider.preset.algorithms],
    }),
    authorize: said.authorization_endpoint,
    // A key that the provider withdrew is gone when it is `keys` old. For an unknown one they are asked
    // for again, but not often: anybody can make up the name of a key.
    keys: createRemoteJWKSet(new URL(said.jwks_uri), {
      cacheMaxAge: settings.keys * 1000,
      cooldownDuration: settings.cooldown * 1000,
      [fetchKeys]: call,
    }),
    hasUserInfo: userInfo !== undefined,
    fetched: at,
  };
}

async function described(
  provider: Provider,
  call: Call,
  settings: Settings,
): Promise<Description> {
  try {
    const found = await openid.discovery(
      new URL(provider.issuer),
      provider.clientId,
      undefined,
      undefined,
      {
        [openid.customFetch]: call,
        execute: settings.development ? [INSECURE] : [],
      },
    );
    const said = DESCRIPTION.parse(found.serverMetadata());
    // To the letter, where the library compares what URLs mean (ASVS 10.5.3).
    if (said.issuer !== provider.issuer)
      throw new CallError("a description of another issuer");
    // The one endpoint that is not called from here.
    if (!isSafe(said.authorization_endpoint, settings.development))
      throw new CallError("an address without TLS");
    return said;
  } catch (error) {
    warn("a provider's description cannot be used", reason(error));
    throw new Unavailable();
  }
}

/** The library's client of a provider. */
export function client(
  provider: Provider,
  call: Call,
  settings: Settings,
  metadata: openid.ServerMetadata,
): openid.Configuration {
  const { clientId, clientSecret, preset } = provider;
  const made = new openid.Configuration(
    metadata,
    clientId,
    { [openid.clockTolerance]: LEEWAY_SECONDS },
    preset.secretInBody
      ? openid.ClientSecretPost(clientSecret)
      : basic(clientSecret),
  );
  made[openid.customFetch] = call;
  if (settings.development) INSECURE(made);
  return made;
}

/**
 * The secret in the header, encoded as a form's field (RFC 6749 2.3.1). The library's own method encodes
 * `-`, `.` and `_` as well, and providers that decode nothing, such as Google, have them in what they give.
 */
function basic(secret: string): openid.ClientAuth {
  return (_server, { client_id: id }, _body, headers) => {
    const pair = [id, secret].map((text) =>
      new URLSearchParams({ text }).toString().slice("text=".length),
    );
    const encoded = Buffer.from(pair.join(":")).toString("base64");
    headers.set("authorization", `Basic ${encoded}`);
  };
}

/** What kind of error it is; its text may hold what was sent. */
export function reason(error: unknown): string {
  const call = callError(error);
  if (call) return call.message;
  const { code } = error as { code?: unknown };
  if (typeof code === "string") return code;
  return error instanceof Error ? error.name : typeof error;
}

/** The call that failed, if that is what a library tells of. */
export function callError(error: unknown): CallError | undefined {
  if (error instanceof CallError) return error;
  const { cause } = error instanceof Error ? error : {};
  return cause === undefined ? undefined : callError(cause);
}

/** What is kept of providers while the application runs. */
export class Oidc {
  readonly settings: Settings;
  readonly call: Call;
  readonly #known: ReadonlyMap<string, Cache>;

  constructor(settings: Settings, call: Call) {
    this.settings = settings;
    this.call = call;
    this.#known = new Map(
      [...settings.providers].map(([name, provider]) => [
        name,
        new Cache(provider, call, settings),
      ]),
    );
  }

  /** What a provider says about itself, at most `keys` ago. */
  async known({ preset }: Provider): Promise<Known> {
    const cache = this.#known.get(preset.id);
    if (!cache) throw new Unavailable();
    return cache.get();
  }
}
