/**
 * Mail leaves from a queue, never from a request: an answer takes as long whether or not a mail
 * follows from it (ASVS 6.3.8).
 */

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import {
  createTransport,
  type SendMailOptions,
  type Transporter,
} from "nodemailer";

import { fault, log } from "./audit[= js =]";
import { Problem } from "./problem[= js =]";
import { DEVELOPMENT_FOLDER, type Settings } from "./settings[= js =]";
import { now } from "./time[= js =]";

const PLACES = 1_024;
const POSTMEN = 4;
const RETRY_AFTER_SECONDS = [2, 15];

/** Writes a letter, or finds that there is none. */
export type Writer = () => Letter | undefined | Promise<Letter | undefined>;

export interface Letter {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

/** Letters that wait to be written and sent. */
export class Outbox {
  readonly #settings: Settings;
  readonly #post: Transporter;
  #waiting = 0;
  // In turn, so that of two links for one account the newer one is the valid one.
  #writing: Promise<void> = Promise.resolve();

  constructor(settings: Settings, post: Transporter = transport(settings)) {
    this.#settings = settings;
    this.#post = post;
  }

  /** Asked before a request changes anything, so that a full queue refuses everybody alike. */
  room(): void {
    if (this.#waiting >= PLACES) throw new Problem("unavailable");
  }

  send(letter: Letter): void {
    this.run(() => letter);
  }

  /** Has the letter written, in order, and sent. */
  run(write: Writer): void {
    this.#waiting += 1;
    this.#writing = this.#writing.then(async () => {
      try {
        const letter = await write();
        if (letter) void this.#deliver(letter);
        else this.#waiting -= 1;
      } catch (error) {
        this.#waiting -= 1;
        fault("a letter could not be written", error);
      }
    });
  }

  /** Waits until what was written so far has left, for tests and for an orderly end. */
  async idle(): Promise<void> {
    while (this.#waiting > 0) await sleep(5);
  }

  close(): void {
    this.#post.close();
  }

  async #deliver(letter: Letter): Promise<void> {
    try {
      for (const wait of [...RETRY_AFTER_SECONDS, undefined]) {
        if (await this.#attempt(letter)) return;
        if (wait !== undefined) await sleep(wait * 1000);
      }
      log("ERROR", { message: "a mail was given up" });
    } finally {
      this.#waiting -= 1;
    }
  }

  async #attempt(letter: Letter): Promise<boolean> {
    try {
      const sent: unknown = await this.#post.sendMail(
        message(this.#settings, letter),
      );
      if (this.#settings.development) await keep(letter, sent);
      return true;
    } catch (error) {
      const kind = error instanceof Error ? error.name : typeof error;
      log("WARNING", { message: "a mail was not sent", error: kind });
      return false;
    }
  }
}

function transport(settings: Settings): Transporter {
  const { smtp } = settings;
  if (!smtp) return createTransport({ streamTransport: true, buffer: true });
  return createTransport({
    host: smtp.host,
    port: smtp.port,
    secure: smtp.tls,
    requireTLS: smtp.startTls,
    ignoreTLS: !smtp.tls && !smtp.startTls,
    ...(smtp.user === undefined
      ? {}
      : { auth: { user: smtp.user, pass: smtp.password ?? "" } }),
    pool: true,
    maxConnections: POSTMEN,
    connectionTimeout: 20_000,
    greetingTimeout: 20_000,
    socketTimeout: 20_000,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
}

/** Development's mail: a file, and its text on the terminal. */
async function keep(letter: Letter, sent: unknown): Promise<void> {
  const raw = (sent as { message: Buffer }).message;
  const folder = join(DEVELOPMENT_FOLDER, "mail");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(join(folder, `${String(process.hrtime.bigint())}.eml`), raw, {
    mode: 0o600,
  });
  process.stdout.write(
    `auth: mail for ${letter.to}: ${letter.subject}\n${letter.text}\n`,
  );
}

function message(settings: Settings, letter: Letter): SendMailOptions {
  return {
    from: settings.mailFrom,
    // As an object, it is not parsed for more than one address.
    to: { name: "", address: letter.to },
    subject: `${settings.appName}: ${letter.subject}`,
    text: letter.text,
    // Links stay whole.
    textEncoding: "base64",
    headers: { "Auto-Submitted": "auto-generated" },
  };
}

/** From the configured origin, whatever the request said. */
function link(settings: Settings, path: string, token: string): string {
  return `${settings.baseUrl}${path}?token=${token}`;
}

export function verify(settings: Settings, to: string, token: string): Letter {
  const address = link(settings, "[% if ui == "pages" %]/account/verify[% else %]/auth/verify[% endif %]", token);
  const text = `Open this link to confirm your address:\n\n${address}\n\nIf you did not sign up, ignore this mail.\n`;
  return { to, subject: "confirm your address", text };
}

export function alreadyRegistered(to: string): Letter {
  const text =
    "Somebody, perhaps you, tried to sign up with this address. It has an account already, and" +
    " nothing was changed.\n\nIf you forgot the password, ask for a new one.\n";
  return { to, subject: "you have an account", text };
}

export function reset(settings: Settings, to: string, token: string): Letter {
  const address = link(settings, "[% if ui == "pages" %]/account/reset-password[% else %]/auth/password/reset[% endif %]", token);
  const text = `Open this link to choose a new password:\n\n${address}\n\nIf you did not ask, ignore this mail.\n`;
  return { to, subject: "choose a new password", text };
}

export function emailChange(
  settings: Settings,
  to: string,
  token: string,
): Letter {
  const address = link(settings, "[% if ui == "pages" %]/account/email/confirm[% else %]/auth/email/confirm[% endif %]", token);
  const text =
    `Open this link, signed in, to make this your address:\n\n${address}\n\n` +
    "If you did not ask, ignore this mail.\n";
  return { to, subject: "confirm your new address", text };
}

export function notice(to: string, what: string, ip: string): Letter {
  const text =
    `${what}\n\nWhen: ${now().toISOString()} (UTC)\nFrom: ${ip}\n\n` +
    "If it was not you, choose a new password and tell us.\n";
  return { to, subject: "about your account", text };
}
