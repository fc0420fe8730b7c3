/** Access tokens: JWTs in the profile of RFC 9068, signed with ES256. */

import {
  calculateJwkThumbprint,
  errors,
  exportJWK,
  type JWK,
  type JWTHeaderParameters,
  jwtVerify,
  SignJWT,
} from "jose";
import * as z from "zod";

import { random } from "../random[= js =]";
import type { Settings } from "../settings[= js =]";
import { now, unix } from "../time[= js =]";
import type { Family } from "./families[= js =]";
import type { Keys } from "./keys[= js =]";

const ALGORITHM = "ES256";
// What tells an access token from anything else that these keys may ever sign (RFC 9068 2.1).
const TYPE = "at+jwt";
// Longer ones are refused unread.
const MAX_LENGTH = 8 * 1024;
// How far clocks may differ.
const LEEWAY_SECONDS = 30;

/** Why a token is refused, for the log: a word, and nothing of the token. */
export class TokenRefusal extends Error {}

const NAME = z.string().regex(/^[\x21-\x7e]{1,64}$/);
const MOMENT = z.int().nonnegative();

/** What an access token says. Each claim has one type; another is an error, never an absent claim. */
const CLAIMS = z.object({
  sub: NAME,
  /** The family. */
  sid: NAME,
  exp: MOMENT,
  nbf: MOMENT,
  iat: MOMENT,
  jti: z.string(),
  amr: z.array(z.string()),
  auth_time: z.int(),
  /** The account's epoch. */
  ver: MOMENT,
  /** Names with spaces between. Whatever is not that, opens nothing. */
  scope: z.string().catch(""),
});

export type Claims = z.infer<typeof CLAIMS>;

/** A public key under its thumbprint (RFC 7638). */
async function named(key: Keys["signing"]): Promise<JWK & { kid: string }> {
  const jwk = await exportJWK(key);
  const kid = await calculateJwkThumbprint(jwk);
  return { ...jwk, kid, use: "sig", alg: ALGORITHM };
}

/** Signs access tokens, and tells which are ours. */
export class Access {
  readonly #settings: Settings;
  readonly #names: Promise<(JWK & { kid: string })[]>;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#names = Promise.all(settings.tokens.keys.verifying.map(named));
  }

  /** For how many seconds a new token counts: never beyond the end of its family. */
  lifetime(family: Family): number {
    const left = unix(family.expiresAt) - unix(now());
    return Math.min(this.#settings.policy.accessToken, left);
  }

  /** A token of a family, for some of its scopes. */
  async sign(family: Family, scope: string): Promise<string> {
    const { baseUrl, tokens } = this.#settings;
    const [own] = await this.#names;
    const at = unix(now());
    const claims = {
      sid: family.id,
      scope,
      amr: [family.amr],
      auth_time: unix(family.authenticatedAt),
      ver: family.epoch,
    };
    return new SignJWT(claims)
      .setProtectedHeader({ alg: ALGORITHM, typ: TYPE, kid: own?.kid ?? "" })
      .setIssuer(baseUrl)
      .setSubject(family.userId)
      .setAudience(tokens.audience)
      .setExpirationTime(at + this.lifetime(family))
      .setNotBefore(at)
      .setIssuedAt(at)
      .setJti(random(16))
      .sign(tokens.keys.signing);
  }

  /**
   * Reads a token that one of our keys signed, and that counts now. Whether its family lives is for the
   * database to say.
   */
  async read(token: string): Promise<Claims> {
    const { baseUrl, policy, tokens } = this.#settings;
    if (token.length > MAX_LENGTH) throw new TokenRefusal("malformed");
    const read = await jwtVerify(token, (header) => this.#key(header), {
      algorithms: [ALGORITHM],
      typ: TYPE,
      issuer: baseUrl,
      audience: tokens.audience,
      requiredClaims: ["exp", "nbf", "iat", "sub"],
      clockTolerance: LEEWAY_SECONDS,
      // Also refuses what says that it was made later.
      maxTokenAge: policy.accessToken,
      currentDate: now(),
    }).catch((error: unknown) => {
      if (error instanceof errors.JOSEError) throw new TokenRefusal(error.code);
      throw error;
    });
    const claims = CLAIMS.safeParse(read.payload);
    if (!claims.success) throw new TokenRefusal("malformed");
    return claims.data;
  }

  /** The public keys, for who checks tokens elsewhere (RFC 7517). */
  async published(): Promise<{ keys: JWK[] }> {
    return { keys: await this.#names };
  }

  /**
   * No header but three: neither keys that a token brings along (RFC 8725 3.10) nor extensions that would
   * have to be understood (RFC 7515 4.1.11). A `kid` is a name among ours and nothing else.
   */
  async #key(header: JWTHeaderParameters) {
    const names = Object.keys(header).sort().join(" ");
    if (names !== "alg kid typ") throw new TokenRefusal("another_kind");
    const at = (await this.#names).findIndex(({ kid }) => kid === header.kid);
    const key = this.#settings.tokens.keys.verifying[at];
    if (!key) throw new TokenRefusal("unknown_key");
    return key;
  }
}
