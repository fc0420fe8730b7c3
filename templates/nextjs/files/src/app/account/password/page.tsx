import { requireUser } from "../../../auth";
import { Form } from "../../../auth/pages/form";
import { Frame } from "../../../auth/pages/frame";
import { type Asked, type Field, said, titled } from "../../../auth/pages/said";

const TITLE = "Change password";
const FIELDS: readonly Field[] = [
  { name: "currentPassword", label: "Current password", kind: "password" },
  { name: "newPassword", label: "New password", kind: "newPassword" },
];

export const generateMetadata = titled(TITLE);

export default async function ChangePassword(asked: Asked) {
  const user = await requireUser();
  const { fault } = await said(asked, FIELDS);
  return (
    <Frame title={TITLE} place="/account/password" fault={fault}>
      <p>Every other device is signed out when the password changes.</p>
      <Form
        action="/auth/password"
        fields={FIELDS}
        email={user.email}
        button="Change password"
        fault={fault}
      />
    </Frame>
  );
}
