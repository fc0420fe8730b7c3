import Link from "next/link";
import { cache } from "react";

import { requireUser, show } from "../../../../auth";
import { Form } from "../../../../auth/pages/form";
import { Frame, Refused } from "../../../../auth/pages/frame";
import look from "../../../../auth/pages/look.module.css";
import { type Asked, said, titled } from "../../../../auth/pages/said";

const TITLE = "Confirm your new address";

// The title and the page ask once between them.
const open = cache((token: string) =>
  show((api, visitor) => api.showEmailChange({ ...visitor, query: { token } })),
);

export const generateMetadata = titled(TITLE, open);

export default async function ConfirmEmail(asked: Asked) {
  const user = await requireUser();
  const { fault, token } = await said(asked);
  const link = await open(token);
  if ("code" in link) return <Refused code={link.code} />;
  return (
    <Frame title={TITLE} place="/account" fault={fault}>
      <p>
        From now on, <strong>{link.found.email}</strong> takes the place of{" "}
        <strong>{user.email}</strong>. Every other device is signed out.
      </p>
      <Form
        action="/auth/email/confirm"
        hidden={{ token }}
        button="Use this address"
      />
      <p className={look["links"]}>
        <Link href="/account">Keep the address</Link>
      </p>
    </Frame>
  );
}
