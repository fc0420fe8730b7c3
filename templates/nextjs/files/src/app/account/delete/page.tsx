import Link from "next/link";

import { requireFreshUser } from "../../../auth";
import { Form } from "../../../auth/pages/form";
import { Frame } from "../../../auth/pages/frame";
import look from "../../../auth/pages/look.module.css";
import { type Asked, type Field, said, titled } from "../../../auth/pages/said";

const TITLE = "Delete your account";
const FIELDS: readonly Field[] = [
  {
    name: "confirmed",
    label: "Yes, delete my account for good",
    kind: "consent",
  },
];

export const generateMetadata = titled(TITLE);

export default async function DeleteAccount(asked: Asked) {
  const user = await requireFreshUser();
  const { fault } = await said(asked, FIELDS);
  return (
    <Frame title={TITLE} place="/account/data" fault={fault}>
      <p>
        This deletes the account <strong>{user.email}</strong>, signs out every
        device, and cannot be undone.
      </p>
      <p>
        You may want to <Link href="/account/data">download your data</Link>{" "}
        first.
      </p>
      <Form
        action="/auth/account/delete"
        fields={FIELDS}
        button="Delete account"
        danger
        fault={fault}
      />
      <p className={look["links"]}>
        <Link href="/account">Keep the account</Link>
      </p>
    </Frame>
  );
}
