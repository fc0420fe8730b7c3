import Link from "next/link";

import { Form } from "../../../auth/pages/form";
import { Frame } from "../../../auth/pages/frame";
import look from "../../../auth/pages/look.module.css";
import { type Asked, type Field, said, titled } from "../../../auth/pages/said";

const TITLE = "Forgot your password?";
const FIELDS: readonly Field[] = [
  { name: "email", label: "E-mail address", kind: "address" },
];

export const generateMetadata = titled(TITLE);

export default async function ForgotPassword(asked: Asked) {
  const { email, fault } = await said(asked, FIELDS);
  return (
    <Frame title={TITLE} fault={fault}>
      <p>
        Enter the address of your account. A link to choose a new password is
        mailed to it.
      </p>
      <Form
        action="/auth/password/forgot"
        fields={FIELDS}
        email={email}
        button="Send mail"
        fault={fault}
      />
      <p className={look["links"]}>
        <Link href="/account/sign-in">Go to the sign-in page</Link>
      </p>
    </Frame>
  );
}
