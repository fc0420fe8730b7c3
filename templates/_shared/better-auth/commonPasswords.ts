const PW = `
[% filter replace(from="`", to="\\`") %][% filter replace(from="\\", to="\\\\") %][% include "common_passwords.txt" %][% endfilter %][% endfilter -%]
`;

export { PW };
