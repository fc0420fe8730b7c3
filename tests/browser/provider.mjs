// A certified OpenID provider on loopback, with its own sign-in form: any name, any password.
//
// node provider.mjs HOST REDIRECT_URI: prints its issuer once it listens, ends when its standard input does.
import { generateKeyPairSync, randomBytes } from "node:crypto";
import http from "node:http";
import Provider from "oidc-provider";

const [host, redirectUri] = process.argv.slice(2);
const server = http.createServer();
await new Promise((listening) => server.listen(0, host, listening));
const issuer = `http://${host}:${server.address().port}`;

const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const provider = new Provider(issuer, {
  clients: [{ client_id: "shop", client_secret: "a-secret-of-the-browser-tests-only", redirect_uris: [redirectUri] }],
  claims: { openid: ["sub"], email: ["email", "email_verified"] },
  cookies: { keys: [randomBytes(32).toString("hex")] },
  jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), alg: "RS256", use: "sig" }] },
  // Who signs in as ann@mail.test has that address.
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, email: id, email_verified: !id.startsWith("unproven") }),
  }),
});
server.on("request", provider.callback());
console.log(issuer);

process.stdin.on("end", () => process.exit()).resume();
