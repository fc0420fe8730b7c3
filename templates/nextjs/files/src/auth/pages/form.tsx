/** A form with one button. It is sent as browsers do it, with no script. */

import { running } from "../running";
import look from "./look.module.css";
import type { Fault, Field } from "./said";
import { type Kind, passwordRules } from "./words";

interface Props {
  /** The endpoint that it is sent to, below `/auth`. */
  readonly action: string;
  readonly fields?: readonly Field[];
  readonly hidden?: Readonly<Record<string, string | undefined>>;
  /** The address that was typed or is known. Passwords are never put back. */
  readonly email?: string;
  readonly button: string;
  /** Whether the button destroys something. */
  readonly danger?: boolean;
  readonly fault?: Fault | undefined;
}

// Type of the input, and what a password manager may put there.
const INPUTS: Readonly<Record<Kind, readonly [type: string, fill?: string]>> = {
  address: ["email", "username"],
  newAddress: ["email", "email"],
  password: ["password", "current-password"],
  newPassword: ["password", "new-password"],
  consent: ["checkbox"],
};

/** Problems are told in full sentences by the server, so the browser's own check is off. */
export function Form({
  action,
  fields = [],
  hidden = {},
  email = "",
  button,
  danger = false,
  fault,
}: Props) {
  const isNamed =
    fields.length === 0 || fields.some(({ kind }) => isAddress(kind));
  return (
    <form method="post" action={action} noValidate>
      {Object.entries(hidden).map(([name, value]) =>
        value === undefined ? null : (
          <input key={name} type="hidden" name={name} value={value} />
        ),
      )}
      {/* Tells a password manager whose password this is. */}
      {email !== "" && !isNamed && (
        <input
          type="email"
          name="username"
          defaultValue={email}
          autoComplete="username"
          readOnly
          hidden
        />
      )}
      {fields.map((field) => {
        const text = fault?.field === field.name ? fault.text : undefined;
        return field.kind === "consent" ? (
          <Consent key={field.name} field={field} fault={text} />
        ) : (
          <Input key={field.name} field={field} fault={text} email={email} />
        );
      })}
      <button className={danger ? look["danger"] : undefined}>{button}</button>
    </form>
  );
}

function isAddress(kind: Kind): boolean {
  return kind === "address" || kind === "newAddress";
}

interface InputProps {
  readonly field: Field;
  readonly fault: string | undefined;
}

function Input({
  field: { name, label, kind },
  fault,
  email,
}: InputProps & { readonly email: string }) {
  const [type, fill] = INPUTS[kind];
  const hint =
    kind === "newPassword"
      ? passwordRules(running().settings.policy.passwordMin)
      : undefined;
  const described = [
    hint !== undefined && `${name}-hint`,
    fault !== undefined && `${name}-error`,
  ].filter((id) => id !== false);
  return (
    <div className={look["field"]}>
      <label htmlFor={name}>{label}</label>
      {hint !== undefined && (
        <p className={look["hint"]} id={`${name}-hint`}>
          {hint}
        </p>
      )}
      <Wrong name={name} text={fault} />
      <input
        id={name}
        name={name}
        type={type}
        required
        defaultValue={isAddress(kind) ? email : undefined}
        autoComplete={fill}
        inputMode={isAddress(kind) ? "email" : undefined}
        autoCapitalize="none"
        spellCheck={false}
        aria-describedby={
          described.length > 0 ? described.join(" ") : undefined
        }
        aria-invalid={fault === undefined ? undefined : true}
      />
    </div>
  );
}

function Consent({ field: { name, label }, fault }: InputProps) {
  return (
    <div className={`${look["field"] ?? ""} ${look["check"] ?? ""}`}>
      <Wrong name={name} text={fault} />
      <input
        id={name}
        name={name}
        type="checkbox"
        value="yes"
        required
        aria-describedby={fault === undefined ? undefined : `${name}-error`}
        aria-invalid={fault === undefined ? undefined : true}
      />
      <label htmlFor={name}>{label}</label>
    </div>
  );
}

function Wrong({ name, text }: { name: string; text: string | undefined }) {
  return text === undefined ? null : (
    <p className={look["error"]} id={`${name}-error`}>
      {text}
    </p>
  );
}
