import { cache } from "react";

import { show } from "../../../auth";
import { Form } from "../../../auth/pages/form";
import { Frame, Refused } from "../../../auth/pages/frame";
import { type Asked, type Field, said, titled } from "../../../auth/pages/said";

const TITLE = "Choose a new password";
const FIELDS: readonly Field[] = [
  { name: "password", label: "New password", kind: "newPassword" },
];

// The title and the page ask once between them.
const open = cache((token: string) =>
  show((api, visitor) => api.showReset({ ...visitor, query: { token } })),
);

export const generateMetadata = titled(TITLE, open);

export default async function ResetPassword(asked: Asked) {
  const { fault, token } = await said(asked, FIELDS);
  const link = await open(token);
  if ("code" in link) return <Refused code={link.code} />;
  return (
    <Frame title={TITLE} fault={fault}>
      <p>Every device is signed out when the password changes.</p>
      <Form
        action="/auth/password/reset"
        fields={FIELDS}
        hidden={{ token }}
        email={link.found.email}
        button="Save password"
        fault={fault}
      />
    </Frame>
  );
}
