// The key that is typed in is kept by this page only, and only while it is open.
// A closed padlock is an operation that needs a key which was not given yet. Swagger UI shows these two the other way round.
const padlocks = () => {
  const { LockAuthOperationIcon, UnlockAuthOperationIcon } = window.SwaggerUIBundle.plugins.Auth().components;
  return {
    components: {
      LockAuthOperationIcon: UnlockAuthOperationIcon,
      UnlockAuthOperationIcon: LockAuthOperationIcon,
    },
  };
};
window.SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#docs',
  deepLinking: true,
  validatorUrl: null,
  persistAuthorization: false,
  plugins: [padlocks],
});
