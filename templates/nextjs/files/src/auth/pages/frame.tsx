/** What all pages have in common, within the application's own layout. */

import Link from "next/link";
import type { ReactNode } from "react";

import { running } from "../running";
import look from "./look.module.css";
import type { Fault } from "./said";
import { advice, title as titleOf } from "./words";

/** Where the signed-in user can go. */
const PLACES = {
  "/account": "Account",
  "/account/password": "Password",
  "/account/sessions": "Devices",
  "/account/data": "Your data",
} as const;

interface Props {
  readonly title: string;
  /** Which of the places it belongs to, of somebody who is signed in. */
  readonly place?: keyof typeof PLACES | "none";
  readonly notice?: string | undefined;
  readonly fault?: Fault | undefined;
  readonly children: ReactNode;
}

export function Frame({ title, place, notice, fault, children }: Props) {
  return (
    <>
      {place !== undefined && <Header place={place} />}
      <main
        id="main"
        className={place === undefined ? look["narrow"] : look["wide"]}
      >
        {fault && <Summary fault={fault} />}
        {notice !== undefined && (
          <p className={look["notice"]} role="status">
            {notice}
          </p>
        )}
        <h1>{title}</h1>
        {children}
      </main>
    </>
  );
}

function Header({ place }: { place: keyof typeof PLACES | "none" }) {
  return (
    <>
      <a className={look["skip"]} href="#main">
        Skip to the content
      </a>
      <header>
        <nav aria-label="Account">
          <ul>
            {Object.entries(PLACES).map(([path, name]) => (
              <li key={path}>
                <Link
                  href={path}
                  aria-current={path === place ? true : undefined}
                >
                  {name}
                </Link>
              </li>
            ))}
          </ul>
        </nav>
        <form className={look["out"]} method="post" action="/auth/logout">
          <button className={look["quiet"]}>Sign out</button>
        </form>
      </header>
    </>
  );
}

function Summary({ fault: { field, text } }: { fault: Fault }) {
  return (
    <div className={look["summary"]} role="alert" tabIndex={-1} autoFocus>
      <h2>That did not work</h2>
      <p>{field === undefined ? text : <a href={`#${field}`}>{text}</a>}</p>
    </div>
  );
}

/** Instead of a form: for a link, or a moment, that it cannot be had at. */
export function Refused({ code }: { code: string }) {
  return (
    <Frame title={titleOf(code)}>
      <p>{advice(code, running().settings.policy.passwordMin)}</p>
      <ul className={look["links"]}>
        <li>
          <Link href="/account/resend">Send the confirmation again</Link>
        </li>
        <li>
          <Link href="/account/forgot-password">Ask for a new password</Link>
        </li>
        <li>
          <Link href="/account/sign-in">Go to the sign-in page</Link>
        </li>
      </ul>
    </Frame>
  );
}
