import Link from "next/link";

import { requireUser } from "../../../auth";
import { Form } from "../../../auth/pages/form";
import { Frame } from "../../../auth/pages/frame";
import look from "../../../auth/pages/look.module.css";
import { type Asked, type Field, said, titled } from "../../../auth/pages/said";

const TITLE = "Enter your password again";
const FIELDS: readonly Field[] = [
  { name: "password", label: "Password", kind: "password" },
];

export const generateMetadata = titled(TITLE);

export default async function Reauth(asked: Asked) {
  const user = await requireUser();
  const { fault, next } = await said(asked, FIELDS);
  return (
    <Frame title={TITLE} place="none" fault={fault}>
      <p>
        What you want to do concerns your account’s security, and you signed in
        a while ago.
      </p>
      <Form
        action="/auth/reauth"
        fields={FIELDS}
        hidden={{ next }}
        email={user.email}
        button="Continue"
        fault={fault}
      />
      <p className={look["links"]}>
        <Link href="/account">Back to the account</Link>
      </p>
    </Frame>
  );
}
