/** The keys of access tokens: one that signs, and those whose tokens count. */

import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from "node:crypto";

import { looksRandom } from "../variables[= js =]";

// The x of keys whose private part is printed in documents: RFC 7515 A.3, RFC 7517 A.2, RFC 7518 C, and
// RFC 6979 A.2.5.
const SAMPLES: ReadonlySet<string | undefined> = new Set([
  "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
  "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
  "gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0",
  "weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ",
  "YP7UuiVanTHJYet0xjVtaMBJuJI7Yfps5mliLmDyn7Y",
]);

/** Why a key is not taken. */
export class KeyRefusal extends Error {}

export interface Keys {
  readonly signing: KeyObject;
  /** Public keys. The first belongs to the one that signs. */
  readonly verifying: readonly KeyObject[];
}

/** Reads the key that signs: base64 of a P-256 key in PKCS#8. */
export function signing(text: string): Keys {
  const key = privateKey(decoded(text));
  const { d = "" } = key.export({ format: "jwk" });
  if (!looksRandom(Buffer.from(d, "base64url")))
    throw new KeyRefusal("does not look random");
  return { signing: key, verifying: [known(createPublicKey(key))] };
}

/** With a key that signs no more, private or public, whose tokens still count. */
export function accepting(keys: Keys, text: string): Keys {
  const der = decoded(text);
  const key = publicKey(der) ?? createPublicKey(privateKey(der));
  return { ...keys, verifying: [...keys.verifying, known(key)] };
}

function decoded(text: string): Buffer {
  if (
    !/^(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(
      text,
    )
  )
    throw new KeyRefusal("is not base64");
  return Buffer.from(text, "base64");
}

function publicKey(der: Buffer): KeyObject | undefined {
  try {
    return createPublicKey({ key: der, format: "der", type: "spki" });
  } catch {
    return undefined;
  }
}

function privateKey(der: Buffer): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  } catch {
    throw new KeyRefusal("is not a private key in PKCS#8");
  }
  return ofP256(key);
}

function ofP256(key: KeyObject): KeyObject {
  if (key.asymmetricKeyDetails?.namedCurve !== "prime256v1")
    throw new KeyRefusal("is not a key of P-256");
  return key;
}

function known(key: KeyObject): KeyObject {
  if (SAMPLES.has(ofP256(key).export({ format: "jwk" }).x))
    throw new KeyRefusal("is one that documents print");
  return key;
}

/** A new key, as the setting takes it. */
export function freshKey(): string {
  const { privateKey } = generateKeyPairSync("ec", {
    namedCurve: "P-256",
    privateKeyEncoding: { format: "der", type: "pkcs8" },
    publicKeyEncoding: { format: "der", type: "spki" },
  });
  return privateKey.toString("base64");
}
