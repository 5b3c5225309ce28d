// A real OpenID provider for one test. Arguments: port, client secret, redirect URI, back-channel logout URI.
import Provider from "oidc-provider";

const [port, secret, redirect, logout] = process.argv.slice(2);
const GROUPS = {
  li: ["research-staff"],
  wang: ["computing-board"],
  stranger: [],
};

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    client_id: "suanwang", client_secret: secret, redirect_uris: [redirect], response_types: ["code"],
    grant_types: ["authorization_code"], backchannel_logout_uri: logout, backchannel_logout_session_required: true,
    post_logout_redirect_uris: [redirect.replace("/login/oidc/back", "/login")],
  }],
  pkce: { required: () => true },
  scopes: ["openid", "profile", "email", "groups"],
  claims: { openid: ["sub"], profile: ["name"], email: ["email", "email_verified"], groups: ["groups"] },
  findAccount: (_ctx, id) => ({
    accountId: id,
    claims: async () => ({
      sub: id, name: `${id} 同志`, email: `${id}@example.org`, email_verified: true, groups: GROUPS[id] ?? [],
    }),
  }),
  loadExistingGrant: async (ctx) => {
    const grant = new ctx.oidc.provider.Grant({
      clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId,
    });
    grant.addOIDCScope("openid profile email groups");
    await grant.save();
    return grant;
  },
  features: { devInteractions: { enabled: true }, rpInitiatedLogout: { enabled: true }, backchannelLogout: { enabled: true } },
  cookies: { keys: ["of one test"] },
  // It refuses loopback addresses by itself, and everything here is on loopback.
  fetch: (url, { dispatcher, ...options }) => globalThis.fetch(url, options),
});
for (const event of ["server_error", "authorization.error", "grant.error", "backchannel.error"]) {
  provider.on(event, (...parts) => console.error(event, String(parts.find((part) => part instanceof Error))));
}
provider.listen(Number(port), "127.0.0.1", () => console.log("ready"));
