/**
 * Providers without a network that do what a test tells them: they lie about one thing at a time and sign
 * it properly.
 */

import {
  createHash,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
  randomBytes,
  sign,
} from "node:crypto";

import type { Asked } from "../oidc/calls[= js =]";

export const CLIENT = "the client";
export const SECRET = "the client's secret-1_2.3";

type Json = Record<string, unknown>;

export class Key {
  readonly name: string;
  readonly jwk: JsonWebKey;
  readonly #private: KeyObject;

  constructor(name: string) {
    const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const jwk = pair.publicKey.export({ format: "jwk" });
    this.name = name;
    this.jwk = { ...jwk, kid: name, use: "sig", alg: "ES256" };
    this.#private = pair.privateKey;
  }

  /** Whatever the header says: a library would refuse to sign some. */
  signed({ claims, header }: Draft): string {
    const text = [header, claims]
      .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
      .join(".");
    const made = sign("sha256", Buffer.from(text), {
      key: this.#private,
      dsaEncoding: "ieee-p1363",
    });
    return `${text}.${made.toString("base64url")}`;
  }
}

/** An ID token before it is signed. */
export interface Draft {
  header: Json;
  claims: Json;
}

/** What it says in place of what it should. */
export interface Lies {
  token?: (draft: Draft) => void;
  finish?: (token: string) => string;
  answer?: (answer: Json) => void;
  describe?: (description: Json) => unknown;
}

interface Heard {
  readonly path: string;
  readonly form: URLSearchParams;
  readonly authorization: string;
}

/** One provider. Everything that it does can be changed. */
export class Provider {
  readonly issuer: string;
  claims: Json = {};
  userInfo: Json = {};
  keys = [new Key("one")];
  /** The keys that it shows, if not its own. */
  shown: unknown;
  lies: Lies = {};
  /** By path. */
  readonly instead = new Map<string, () => Promise<Response>>();
  /** Takes any verifier, and a code as often as it comes. */
  isLax = false;
  readonly heard: Heard[] = [];
  readonly #grants = new Map<string, URLSearchParams>();

  constructor(issuer: string) {
    this.issuer = issuer;
    this.is("s-ada", "ada@example.org");
  }

  /** Who consents from now on. */
  is(sub: string, email: string, more: Json = {}): void {
    this.claims = { sub, email, email_verified: true, ...more };
  }

  count(path: string): number {
    return this.heard.filter((call) => call.path === path).length;
  }

  /** To what is asked. Returns the path on which the browser comes back. */
  consents(location: string): string {
    const asked = new URL(location).searchParams;
    const code = randomBytes(16).toString("base64url");
    this.#grants.set(code, asked);
    const back = new URLSearchParams({
      code,
      state: asked.get("state") ?? "",
      iss: this.issuer,
    });
    const { pathname } = new URL(asked.get("redirect_uri") ?? "");
    return `${pathname}?${back.toString()}`;
  }

  async answer(address: string, { body, headers }: Asked): Promise<Response> {
    const { pathname } = new URL(address);
    const form = body instanceof URLSearchParams ? body : new URLSearchParams();
    const authorization = new Headers(headers).get("authorization") ?? "";
    this.heard.push({ path: pathname, form, authorization });
    const instead = this.instead.get(pathname);
    if (instead) return instead();
    switch (pathname) {
      case "/.well-known/openid-configuration":
        return Response.json(this.#description());
      case "/keys":
        return Response.json(
          this.shown ?? { keys: this.keys.map(({ jwk }) => jwk) },
        );
      case "/token":
        return this.#redeem(form, authorization);
      case "/userinfo":
        return Response.json(this.userInfo);
      default:
        return Response.json({}, { status: 404 });
    }
  }

  #description(): unknown {
    const place = this.issuer.replace(/\/$/, "");
    const described = {
      issuer: this.issuer,
      authorization_endpoint: `${place}/authorize?state=theirs`,
      token_endpoint: `${place}/token`,
      userinfo_endpoint: `${place}/userinfo`,
      jwks_uri: `${place}/keys`,
      authorization_response_iss_parameter_supported: true,
    };
    return this.lies.describe ? this.lies.describe(described) : described;
  }

  #redeem(form: URLSearchParams, authorization: string): Response {
    const isClient =
      authorization === basic() || form.get("client_secret") === SECRET;
    if (!isClient)
      return Response.json({ error: "invalid_client" }, { status: 401 });
    const code = form.get("code") ?? "";
    const asked = this.#grants.get(code);
    if (!asked || !(this.isLax || fits(asked, form)))
      return Response.json({ error: "invalid_grant" }, { status: 400 });
    if (!this.isLax) this.#grants.delete(code);
    const answer: Json = {
      access_token: "sentinel-access-token",
      refresh_token: "sentinel-refresh-token",
      token_type: "Bearer",
      id_token: this.#idToken(asked),
    };
    this.lies.answer?.(answer);
    return Response.json(answer);
  }

  #idToken(asked: URLSearchParams): string {
    const at = Math.floor(Date.now() / 1000);
    const key = this.keys.at(-1) ?? new Key("none");
    const draft = {
      header: { alg: "ES256", kid: key.name },
      claims: {
        iss: this.issuer,
        aud: CLIENT,
        nonce: asked.get("nonce"),
        iat: at,
        exp: at + 300,
        auth_time: at,
        ...this.claims,
      },
    };
    this.lies.token?.(draft);
    const token = key.signed(draft);
    return this.lies.finish ? this.lies.finish(token) : token;
  }
}

/** Encoded first (RFC 6749 2.3.1). */
function basic(): string {
  const [id, secret] = [CLIENT, SECRET].map((text) =>
    new URLSearchParams({ text }).toString().slice("text=".length),
  );
  return `Basic ${Buffer.from(`${id ?? ""}:${secret ?? ""}`).toString("base64")}`;
}

function fits(asked: URLSearchParams, form: URLSearchParams): boolean {
  const verifier = form.get("code_verifier") ?? "";
  const challenge = createHash("sha256").update(verifier).digest("base64url");
  return (
    challenge === asked.get("code_challenge") &&
    form.get("redirect_uri") === asked.get("redirect_uri")
  );
}
