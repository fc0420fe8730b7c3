import { cache } from "react";

import { show } from "../../../auth";
import { Form } from "../../../auth/pages/form";
import { Frame, Refused } from "../../../auth/pages/frame";
import { type Asked, type Field, said, titled } from "../../../auth/pages/said";

const TITLE = "Confirm your address";
const FIELDS: readonly Field[] = [
  { name: "password", label: "Password", kind: "password" },
];

// The title and the page ask once between them.
const open = cache((token: string) =>
  show((api, visitor) => api.showVerify({ ...visitor, query: { token } })),
);

export const generateMetadata = titled(TITLE, open);

/** Where a mailed link leads. It is used by the button alone: scanners of mail open links. */
export default async function Verify(asked: Asked) {
  const { fault, token } = await said(asked, FIELDS);
  const link = await open(token);
  if ("code" in link) return <Refused code={link.code} />;
  const { email, passwordRequired } = link.found;
  return (
    <Frame title={TITLE} fault={fault}>
      {passwordRequired ? (
        <p>
          You signed up in another browser, or somebody else did with your
          address. Enter the password that was chosen then.
        </p>
      ) : (
        <p>
          One step is left: confirm that you signed up with{" "}
          <strong>{email}</strong>.
        </p>
      )}
      <Form
        action="/auth/verify"
        fields={passwordRequired ? FIELDS : []}
        hidden={{ token }}
        email={email}
        button="Confirm address"
        fault={fault}
      />
    </Frame>
  );
}
