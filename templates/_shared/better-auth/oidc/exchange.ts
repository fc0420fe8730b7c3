/** From a code to somebody that a provider vouches for. */

import { createHash } from "node:crypto";

import { errors, jwtVerify, type JWTVerifyResult } from "jose";
import {
  AuthorizationResponseError,
  authorizationCodeGrant,
  ClientError,
  type Configuration,
  fetchUserInfo,
  ResponseBodyError,
  WWWAuthenticateChallengeError,
} from "openid-client";
import * as z from "zod";

import { now, unix } from "../time[= js =]";
import { Refused, Unavailable, warn } from "./failure[= js =]";
import { callError, type Known, LEEWAY_SECONDS, reason } from "./metadata[= js =]";
import type { Provider } from "./settings[= js =]";
import type { Transaction } from "./transaction[= js =]";

// An ID token is used right after it was made.
const MAX_AGE_SECONDS = 600;

/** Somebody at a provider. Issuer and subject say who; the address is only a claim (ASVS 6.8.1). */
export interface Person {
  readonly issuer: string;
  readonly subject: string;
  readonly email: string | undefined;
  /** Whether the provider says that the address is theirs. */
  readonly isVerified: boolean;
  /** When they signed in there, in Unix seconds; 0 if the provider should say and does not. */
  readonly authTime: number;
}

const SECONDS = z.number().min(0).max(Number.MAX_SAFE_INTEGER);

/** What a provider says of somebody. Each claim has one type; another is an error, never an absent claim. */
const SAID = z.object({
  // OpenID Connect Core 2: at most 255 ASCII characters.
  sub: z.string().regex(/^[\x20-\x7e]{1,255}$/),
  email: z.string().nullish(),
  email_verified: z.unknown().optional(),
  xms_edov: z.unknown().optional(),
});

type Said = z.infer<typeof SAID>;

/** Beside what the libraries look at. */
const CLAIMS = SAID.extend({
  exp: SECONDS,
  iat: SECONDS,
  auth_time: SECONDS.nullish(),
  acr: z.string().nullish(),
  azp: z.string().optional(),
  at_hash: z.string().nullish(),
});

type Claims = z.infer<typeof CLAIMS>;

/** The answer of a provider, as it stands in the address that the browser came back on. */
export interface Returned {
  /** With the path that the provider was told. */
  readonly url: URL;
  readonly state: string;
  readonly taken: Transaction;
}

/**
 * Exchanges the code and checks the ID token that comes for it. Its tokens are dropped at the end: no
 * browser, log or table ever holds one (ASVS 10.1.1).
 */
export async function person(
  provider: Provider,
  known: Known,
  returned: Returned,
): Promise<Person> {
  const tokens = await exchanged(known.config, returned, returned.taken.nonce);
  const claims = await checked(provider, known, tokens, returned.taken);
  const said =
    claims.email == null && known.hasUserInfo
      ? await asked(known.config, claims.sub, tokens.access_token)
      : claims;
  return {
    issuer: provider.issuer,
    subject: claims.sub,
    email: said.email ?? undefined,
    isVerified: isVerified(provider, said),
    authTime: signedInAt(provider, claims),
  };
}

interface Tokens {
  readonly access_token: string;
  readonly id_token?: string | undefined;
}

/**
 * The library checks the answer's `state` and `iss` (RFC 9207), sends the code with its verifier, and
 * checks the token's issuer, audience, times and nonce (OpenID Connect Core 3.1.3.7).
 */
export async function exchanged(
  config: Configuration,
  { state, taken, url }: Returned,
  nonce?: string,
): Promise<Tokens> {
  try {
    return await authorizationCodeGrant(config, url, {
      expectedState: state,
      pkceCodeVerifier: taken.verifier,
      ...(nonce === undefined
        ? {}
        : { expectedNonce: nonce, idTokenExpected: true }),
    });
  } catch (error) {
    throw meaning(error, "a provider's answer was refused");
  }
}

/** What it says beside a code could hold what was sent: that is not logged. */
export function meaning(error: unknown, what: string): unknown {
  if (error instanceof AuthorizationResponseError)
    return new Refused("provider_error");
  if (error instanceof ResponseBodyError && error.error === "invalid_grant")
    return new Refused("code");
  const isTheirs =
    error instanceof ResponseBodyError ||
    error instanceof WWWAuthenticateChallengeError ||
    callError(error) !== undefined;
  if (!isTheirs && !(error instanceof ClientError)) return error;
  warn(what, reason(error));
  return isTheirs ? new Unavailable() : new Refused("answer");
}

/**
 * The signature, with a key of the issuer's and never one of the token's choice, and what is left to the
 * caller of the libraries (ASVS 10.5.1 to 10.5.4).
 */
async function checked(
  provider: Provider,
  known: Known,
  tokens: Tokens,
  taken: Transaction,
): Promise<Claims> {
  const { payload, protectedHeader } = await verified(provider, known, tokens);
  const read = CLAIMS.safeParse(payload);
  if (!read.success) throw refused("malformed");
  const claims = read.data;
  // One audience: others would be able to use the token here.
  if (Array.isArray(payload.aud) && payload.aud.length !== 1)
    throw refused("aud");
  if (claims.azp !== undefined && claims.azp !== provider.clientId)
    throw refused("azp");
  if (provider.acr !== undefined && claims.acr !== provider.acr)
    throw refused("acr");
  if (!isRecent(provider, taken, claims.auth_time)) throw refused("auth_time");
  const hash = halfHash(protectedHeader.alg, tokens.access_token);
  if (claims.at_hash != null && claims.at_hash !== hash)
    throw refused("at_hash");
  return claims;
}

async function verified(
  { clientId, issuer, preset }: Provider,
  known: Known,
  { id_token: token = "" }: Tokens,
): Promise<JWTVerifyResult> {
  try {
    return await jwtVerify(token, known.keys, {
      algorithms: [...preset.algorithms],
      audience: clientId,
      issuer,
      clockTolerance: LEEWAY_SECONDS,
      maxTokenAge: MAX_AGE_SECONDS,
      requiredClaims: ["sub", "exp", "nonce"],
    });
  } catch (error) {
    if (callError(error)) {
      warn("a provider's keys cannot be had", reason(error));
      throw new Unavailable();
    }
    if (error instanceof errors.JOSEError) throw refused(error.code);
    throw error;
  }
}

function refused(why: string): Refused {
  warn("an ID token was refused", why);
  return new Refused("id_token");
}

/** OpenID Connect Core 3.1.3.6. The hash is that of the signature. */
function halfHash(algorithm: string, accessToken: string): string {
  const name = algorithm.startsWith("Ed") ? "sha512" : "sha256";
  const whole = createHash(name).update(accessToken, "ascii").digest();
  return whole.subarray(0, whole.length / 2).toString("base64url");
}

/**
 * Whether somebody signed in at the provider as lately as was asked for. Not to say when is not to have
 * done it (ASVS 6.8.4).
 */
function isRecent(
  { maxAge }: Provider,
  taken: Transaction,
  time: number | null | undefined,
): boolean {
  const oldest =
    taken.intent === "reauth"
      ? unix(taken.createdAt)
      : maxAge === undefined
        ? undefined
        : unix(now()) - maxAge;
  if (oldest === undefined) return true;
  if (time == null) return false;
  return (
    oldest - LEEWAY_SECONDS <= time && time <= unix(now()) + LEEWAY_SECONDS
  );
}

/**
 * An open browser is signed in at its provider without anybody there, so that coming from one proves
 * nobody anew (ASVS 7.5.1). Only of a provider that is known not to say when it was, it is now.
 */
function signedInAt({ preset }: Provider, claims: Claims): number {
  const at = unix(now());
  const time = claims.auth_time;
  if (time != null && time <= at + LEEWAY_SECONDS)
    return Math.min(Math.floor(time), at);
  if (time == null && !preset.reauth) return at;
  warn("no usable `auth_time`: the session is not fresh", preset.id);
  return 0;
}

/** Whether the address is theirs. By its type as well: 1 is another word than true. */
function isVerified({ preset }: Provider, said: Said): boolean {
  return preset.verified.includes(said[preset.verifiedClaim]);
}

/** UserInfo, where the token has no address; only of whom the token is about (OpenID Connect Core 5.3.2). */
async function asked(
  config: Configuration,
  subject: string,
  accessToken: string,
): Promise<Said> {
  let found: unknown;
  try {
    found = await fetchUserInfo(config, accessToken, subject);
  } catch (error) {
    throw meaning(error, "a provider's UserInfo was refused");
  }
  const said = SAID.safeParse(found);
  if (!said.success) throw new Refused("userinfo");
  return said.data;
}
