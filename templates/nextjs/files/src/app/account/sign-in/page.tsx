import Link from "next/link";
import { redirect } from "next/navigation";

import { currentUser } from "../../../auth";
import { Form } from "../../../auth/pages/form";
import { target } from "../../../auth/pages/forms";
import { Frame } from "../../../auth/pages/frame";
import look from "../../../auth/pages/look.module.css";
import { type Asked, type Field, said, titled } from "../../../auth/pages/said";

const TITLE = "Sign in";
const FIELDS: readonly Field[] = [
  { name: "email", label: "E-mail address", kind: "address" },
  { name: "password", label: "Password", kind: "password" },
];

export const generateMetadata = titled(TITLE);

export default async function SignIn(asked: Asked) {
  const { email, fault, next, notice } = await said(asked, FIELDS);
  if (await currentUser()) redirect(target(next));
  return (
    <Frame title={TITLE} notice={notice} fault={fault}>
      <Form
        action="/auth/login"
        fields={FIELDS}
        hidden={{ next }}
        email={email}
        button="Sign in"
        fault={fault}
      />
      <ul className={look["links"]}>
        {fault?.code === "email_unverified" && (
          <li>
            <Link href="/account/resend">Send the confirmation again</Link>
          </li>
        )}
        <li>
          <Link href="/account/forgot-password">Forgot your password?</Link>
        </li>
        <li>
          New here? <Link href="/account/sign-up">Create an account</Link>
        </li>
      </ul>
    </Frame>
  );
}
