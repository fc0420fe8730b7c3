/** The module behind a server of Node that passes requests on as Next does, with clients and mail that tests can read. */

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";

import { createTransport } from "nodemailer";

[% if module.tokens -%]
import type { ApiUser } from "../bearer/guard";
import { freshKey } from "../bearer/keys";
[% endif -%]
import { watch } from "../incoming";
import { Outbox } from "../mail";
[%- if module.oidc %]
import { type Call, calls } from "../oidc/calls";
import { PRESETS } from "../oidc/presets";
import { variable } from "../oidc/settings";
[%- endif %]
import { Auth } from "../server";
import { fromEnvironment[% if module.oidc %], type Settings[% endif %] } from "../settings";
import type { User } from "../user";

[% include "better_auth_harness_settings.ts" %]
/** The servers that stand for Next's. */
export const servers = new WeakSet<Server>();

watch(undefined, ({ server }) => servers.has(server));

/** As Next does it: a `Request` in, a `Response` out, handlers of the application's own beside the module's. */
async function serve(
  auth: Auth,
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = incoming.url?.split("?", 1)[0];
  const isUnsafe = !["GET", "HEAD"].includes(incoming.method ?? "");
  const body = isUnsafe
    ? (Readable.toWeb(incoming) as ReadableStream<Uint8Array>)
    : null;
  const request = new Request(`http://localhost${incoming.url ?? "/"}`, {
    method: incoming.method ?? "GET",
    headers: Object.entries(incoming.headers).map(
      ([name, value]): [string, string] => [name, String(value)],
    ),
    ...(body ? { body, duplex: "half" } : {}),
  });
  const shown = (user: User) => Response.json({ id: user.id });
[%- if module.tokens %]
  const told = (user: ApiUser) => Response.json(user);
[%- endif %]
  const handlers: Record<string, () => Promise<Response>> = {
    "/private": () => auth.guard("any", shown),
    "/close": () => auth.guard("fresh", shown),
[%- if module.tokens %]
    "/api": () => auth.guardApi({ scope: "read" }, told),
    "/api/any": () => auth.guardApi("any", told),
    "/api/fresh": () => auth.guardApi("fresh", told),
[%- endif %]
  };
  const handler = handlers[path ?? ""] ?? (() => auth.answer(request));
  const answer = await handler();
  response.statusCode = answer.status;
  response.setHeaders(answer.headers);
  response.end(answer.body ? await text(answer.body) : undefined);
}

/** Starts a server on this machine, and tells where. */
export async function listening(server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return `http://127.0.0.1:${String(port)}`;
}

[% include "better_auth_harness_client.ts" %]
export class Lab {
  readonly letters: Letter[] = [];
  readonly file: string;
  readonly #folder = mkdtempSync(join(tmpdir(), "auth-"));
  readonly #close: () => Promise<void>;
  readonly #base: Promise<string>;
  #people = 0;
[%- if module.oidc %]

  constructor(
    overrides: Record<string, string> = {},
    change = (settings: Settings): Settings => settings,
    call?: Call,
  ) {
    const given = { ...environment(this.#folder), ...overrides };
    const settings = change(fromEnvironment(given));
[%- else %]

  constructor(overrides: Record<string, string> = {}) {
    const given = { ...environment(this.#folder), ...overrides };
    const settings = fromEnvironment(given);
[%- endif %]
    this.file = settings.database;
    const post = createTransport({
      name: "letters",
      version: "1",
      send: (mail, done) => {
        const { to, subject, text } = mail.data as {
          to: { address: string };
          subject: string;
          text: string;
        };
        this.letters.push({ to: to.address, subject, text });
        done(null, { envelope: mail.message.getEnvelope(), messageId: "" });
      },
    });
[%- if module.oidc %]
    const mail = new Outbox(settings, post);
    const auth = new Auth(settings, mail, call ?? calls(settings.oidc));
[%- else %]
    const auth = new Auth(settings, new Outbox(settings, post));
[%- endif %]
    const server = createServer((incoming, response) => {
      void serve(auth, incoming, response);
    });
    servers.add(server);
    this.#base = listening(server);
    this.#close = async () => {
      server.closeAllConnections();
      server.close();
      await auth.close();
      rmSync(this.#folder, { recursive: true });
    };
  }

  /** Where it listens. */
  origin(): Promise<string> {
    return this.#base;
  }

  async client(): Promise<Client> {
    return new Client(await this.#base);
  }

[% include "better_auth_harness_mail.ts" -%]
