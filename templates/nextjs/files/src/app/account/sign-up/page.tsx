import Link from "next/link";

import { Form } from "../../../auth/pages/form";
import { Frame } from "../../../auth/pages/frame";
import look from "../../../auth/pages/look.module.css";
import { type Asked, type Field, said, titled } from "../../../auth/pages/said";

const TITLE = "Create an account";
const FIELDS: readonly Field[] = [
  { name: "email", label: "E-mail address", kind: "address" },
  { name: "password", label: "Password", kind: "newPassword" },
];

export const generateMetadata = titled(TITLE);

export default async function SignUp(asked: Asked) {
  const { email, fault } = await said(asked, FIELDS);
  return (
    <Frame title={TITLE} fault={fault}>
      <Form
        action="/auth/register"
        fields={FIELDS}
        email={email}
        button="Create account"
        fault={fault}
      />
      <p className={look["links"]}>
        Have an account? <Link href="/account/sign-in">Sign in</Link>
      </p>
    </Frame>
  );
}
