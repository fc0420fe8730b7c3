/** What the address of a page says: what was done or refused before, and where to go then. */

import type { Metadata } from "next";
import { cookies } from "next/headers";

import { isLocalPath } from "../localPath";
import { running } from "../running";
import type { Shown } from "../server";
import { cookieName, read } from "./typed";
import * as words from "./words";

/** What Next hands to a page. */
export interface Asked {
  readonly searchParams: Promise<
    Readonly<Record<string, string | string[] | undefined>>
  >;
}

/** A refusal, at the field that it is about. */
export interface Fault {
  readonly code: string;
  /** The name of the field. */
  readonly field: string | undefined;
  readonly text: string;
}

export interface Field {
  /** Its name is its id, too. */
  readonly name: string;
  readonly label: string;
  readonly kind: words.Kind;
}

export interface Said {
  readonly notice: string | undefined;
  readonly fault: Fault | undefined;
  /** The way back, for a form to carry along. */
  readonly next: string | undefined;
  /** Of a mailed link. */
  readonly token: string;
  /** The address that was typed before a refusal. */
  readonly email: string;
}

/** A parameter that comes twice says nothing. */
async function parameters({ searchParams }: Asked) {
  const given = await searchParams;
  return (name: string) => {
    const value = given[name];
    return typeof value === "string" ? value : undefined;
  };
}

export async function said(
  asked: Asked,
  fields: readonly Field[] = [],
): Promise<Said> {
  const given = await parameters(asked);
  const { settings } = running();
  const problem = given("problem");
  const next = given("next");
  const typed = (await cookies()).get(cookieName(settings))?.value;
  return {
    notice: words.done(given("done")),
    fault:
      problem === undefined
        ? undefined
        : faultOf(problem, given("at"), fields, settings.policy.passwordMin),
    next: next !== undefined && isLocalPath(next) ? next : undefined,
    token: given("token") ?? "",
    email: problem !== undefined && typed !== undefined ? read(typed) : "",
  };
}

function faultOf(
  code: string,
  at: string | undefined,
  fields: readonly Field[],
  passwordMin: number,
): Fault {
  if (code === "empty") {
    const left = fields.find(({ name }) => name === at) ?? fields[0];
    const text = words.empty(left?.kind ?? "consent");
    return { code, field: left?.name, text };
  }
  const kinds = words.kindsOf(code);
  const about = fields.find(({ kind }) => kinds.includes(kind));
  const namesAccount = fields.some(({ kind }) => kind === "address");
  const text = words.advice(code, passwordMin, namesAccount);
  return { code, field: about?.name, text };
}

/** The title of a page, which says a problem first. That of one for a mailed link depends on the link. */
export function titled(
  title: string,
  open?: (token: string) => Promise<Shown<unknown>>,
) {
  return async (asked: Asked): Promise<Metadata> => {
    const given = await parameters(asked);
    const link = await open?.(given("token") ?? "");
    if (link && "code" in link) return { title: words.title(link.code) };
    const isFaulty = given("problem") !== undefined;
    return { title: isFaulty ? `Error: ${title}` : title };
  };
}
