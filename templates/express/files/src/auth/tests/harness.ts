/** The module in an application of its own, with clients and mail that tests can read. */

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import express from "express";
import { createTransport } from "nodemailer";

[% if module.tokens -%]
import { freshKey } from "../bearer/keys[= js =]";
[% endif -%]
import {
  attach,
[%- if module.tokens %]
  currentApiUser,
[%- endif %]
  currentUser,
[%- if module.tokens %]
  requireApiUser,
  requireFreshApiUser,
[%- endif %]
  requireFreshUser,
[%- if module.tokens %]
  requireScope,
[%- endif %]
  requireUser,
} from "../index[= js =]";
import { Outbox } from "../mail[= js =]";
[%- if module.oidc %]
import { type Call, calls } from "../oidc/calls[= js =]";
import { PRESETS } from "../oidc/presets[= js =]";
import { variable } from "../oidc/settings[= js =]";
import { fromEnvironment, type Settings } from "../settings[= js =]";
[%- else %]
import { fromEnvironment } from "../settings[= js =]";
[%- endif %]

[% include "better_auth_harness_settings.ts" %]
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
    const app = express();
[%- if module.oidc %]
    const mail = new Outbox(settings, post);
    const auth = attach(app, settings, mail, call ?? calls(settings.oidc));
[%- else %]
    const auth = attach(app, settings, new Outbox(settings, post));
[%- endif %]
    app.get("/private", requireUser, (request, response) => {
      response.json({ id: currentUser(request).id });
    });
    app.post("/close", requireFreshUser, (request, response) => {
      response.json({ id: currentUser(request).id });
    });
[%- if module.tokens %]
    app.post("/api", requireScope("read"), (request, response) => {
      response.json(currentApiUser(request));
    });
    app.get("/api/any", requireApiUser, (request, response) => {
      response.json(currentApiUser(request));
    });
    app.get("/api/fresh", requireFreshApiUser, (request, response) => {
      response.json(currentApiUser(request));
    });
[%- endif %]
    const inner = express();
    inner.get("/private", requireUser, (request, response) => {
      response.json({ id: currentUser(request).id });
    });
    app.use("/inner", inner);
    app.get("/unguarded", (request, response) => {
      response.json({ id: currentUser(request).id });
    });
    app.use(
      (
        _error: unknown,
        _request: express.Request,
        response: express.Response,
        next: express.NextFunction,
      ) => {
        if (response.headersSent) next();
        else response.status(500).end();
      },
    );
    const server = app.listen(0, "127.0.0.1");
    this.#base = once(server, "listening").then(() => {
      const { port } = server.address() as AddressInfo;
      return `http://127.0.0.1:${String(port)}`;
    });
    this.#close = async () => {
      server.closeAllConnections();
      server.close();
      await auth.close();
      rmSync(this.#folder, { recursive: true });
    };
  }

  async client(): Promise<Client> {
    return new Client(await this.#base);
  }

[% include "better_auth_harness_mail.ts" -%]
