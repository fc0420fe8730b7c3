import Link from "next/link";

import { requireFreshUser } from "../../../auth";
import { Form } from "../../../auth/pages/form";
import { Frame } from "../../../auth/pages/frame";
import look from "../../../auth/pages/look.module.css";
import { type Asked, type Field, said, titled } from "../../../auth/pages/said";

const TITLE = "Change e-mail address";
const FIELDS: readonly Field[] = [
  { name: "email", label: "New e-mail address", kind: "newAddress" },
];

export const generateMetadata = titled(TITLE);

export default async function ChangeEmail(asked: Asked) {
  const user = await requireFreshUser();
  const { email, fault } = await said(asked, FIELDS);
  return (
    <Frame title={TITLE} place="/account" fault={fault}>
      <p>
        Your address is <strong>{user.email}</strong>.
      </p>
      <p>
        We send a link to the new one. Your address changes when you open that
        link in a browser in which you are signed in.
      </p>
      <Form
        action="/auth/email"
        fields={FIELDS}
        email={email}
        button="Send confirmation"
        fault={fault}
      />
      <p className={look["links"]}>
        <Link href="/account">Keep the address</Link>
      </p>
    </Frame>
  );
}
