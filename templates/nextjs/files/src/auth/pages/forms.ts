/**
 * The forms of the pages: what each does, and where it leads.
 *
 * A form is sent to the path of the endpoint that does what it is about, and is answered with the way to a
 * page (303), whether it was accepted or not: a page of Next cannot answer a form without scripts and one
 * with an error alike, and a page that was led to can be loaded again without sending anything twice.
 */

import { isLocalPath } from "../localPath";

export type Fields = Readonly<Record<string, string>>;

export const HOME = "/account";
export const SIGN_IN = "/account/sign-in";
export const REAUTH = "/account/reauth";

export interface Form {
  /** The endpoint, where its path or method is not that of the form. */
  readonly endpoint?: { readonly method: string; readonly path: string };
  /** The page on which it stands. */
  readonly page: string;
  /** Fields that people fill in, in their order. */
  readonly fields: readonly string[];
  /** Where it leads once the endpoint has answered. */
  readonly then: (
    fields: Fields,
    answer: Readonly<Record<string, unknown>>,
  ) => string;
}

const to = (path: string) => () => path;

/** Where somebody was on their way to, or their account. */
export function target(next: string | undefined): string {
  return next !== undefined && isLocalPath(next) ? next : HOME;
}

const FORMS: Readonly<Record<string, Form>> = {
  "/auth/register": {
    page: "/account/sign-up",
    fields: ["email", "password"],
    then: to("/account/mailbox"),
  },
  "/auth/verify": {
    page: "/account/verify",
    fields: [],
    then: (_, answer) =>
      `${answer["signedIn"] === true ? HOME : SIGN_IN}?done=address-confirmed`,
  },
  "/auth/verify/resend": {
    page: "/account/resend",
    fields: ["email"],
    then: to("/account/mailbox"),
  },
  "/auth/login": {
    page: SIGN_IN,
    fields: ["email", "password"],
    then: ({ next }) => target(next),
  },
  "/auth/logout": {
    page: HOME,
    fields: [],
    then: to(`${SIGN_IN}?done=signed-out`),
  },
  "/auth/reauth": {
    page: REAUTH,
    fields: ["password"],
    then: ({ next }) => target(next),
  },
  "/auth/password": {
    page: "/account/password",
    fields: ["currentPassword", "newPassword"],
    then: to(`${HOME}?done=password-changed`),
  },
  "/auth/password/forgot": {
    page: "/account/forgot-password",
    fields: ["email"],
    then: to("/account/mailbox"),
  },
  "/auth/password/reset": {
    page: "/account/reset-password",
    fields: ["password"],
    then: to(`${SIGN_IN}?done=password-changed`),
  },
  "/auth/email": {
    page: "/account/email",
    fields: ["email"],
    then: to(`${HOME}?done=address-mailed`),
  },
  "/auth/email/confirm": {
    page: "/account/email/confirm",
    fields: [],
    then: to(`${HOME}?done=address-changed`),
  },
  "/auth/sessions/revoke-others": {
    page: "/account/sessions",
    fields: [],
    then: to("/account/sessions?done=devices-signed-out"),
  },
  "/auth/account/delete": {
    endpoint: { method: "DELETE", path: "/auth/account" },
    page: "/account/delete",
    fields: ["confirmed"],
    then: to(`${SIGN_IN}?done=account-deleted`),
  },
};

/** The form that is sent to a path. */
export function formAt(path: string): Form | undefined {
  const id = /^\/auth\/sessions\/([A-Za-z0-9]{1,64})\/revoke$/.exec(path)?.[1];
  if (id === undefined) return FORMS[path];
  return {
    endpoint: { method: "DELETE", path: `/auth/sessions/${id}` },
    page: "/account/sessions",
    fields: [],
    then: to("/account/sessions?done=device-signed-out"),
  };
}

/** Where a form leads that the endpoint refused with this code. */
export function wayBack(form: Form, fields: Fields, code: string): string {
  switch (code) {
    case "not_signed_in":
      return `${SIGN_IN}?done=sign-in-again`;
    case "reauth_required":
      return `${REAUTH}?${new URLSearchParams({ next: form.page }).toString()}`;
    // Ended meanwhile, which is what was wanted.
    case "session_unknown":
      return "/account/sessions?done=device-unknown";
    default:
      return again(form, fields, { problem: code });
  }
}

/** Back to the page of the form, with what it needs to be sent once more. */
export function again(
  form: Form,
  fields: Fields,
  said: Readonly<Record<string, string>>,
): string {
  const query = new URLSearchParams(said);
  const { next, token } = fields;
  if (next !== undefined && isLocalPath(next)) query.set("next", next);
  if (token !== undefined) query.set("token", token);
  return `${form.page}?${query.toString()}`;
}
