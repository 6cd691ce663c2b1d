// Run by `helm test`: each line says what was tried. Ends with 1 when anything failed.
const { FRONTEND, API_GATEWAY, WS_PROXY, INTERNAL, PUBLIC_URL, SINGLE_ENTRANCE, POLICIES, VERSION } = process.env;
const headers = { host: new URL(PUBLIC_URL).host };
let failed = 0;

async function check(what, run) {
  try {
    await run();
    console.log(`ok      ${what}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${what}: ${error.cause?.message ?? error.message}`);
  }
}

async function get(url) {
  const response = await fetch(url, { headers, signal: AbortSignal.timeout(10_000) });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return response;
}

await check('api-gateway is ready, its database too', () => get(`${API_GATEWAY}/health/ready`));
await check('ws-proxy is ready', () => get(`${WS_PROXY}/health/ready`));
await check('the site is there', async () => {
  const text = await (await get(`${FRONTEND}/`)).text();
  if (!/<script/.test(text)) throw new Error('the page has no scripts in it');
});
await check(`this version answers (${VERSION})`, async () => {
  const { version } = await (await get(`${API_GATEWAY}/api/version`)).json();
  if (version !== VERSION) throw new Error(`version ${version} answered`);
});
if (SINGLE_ENTRANCE === 'true') await check('the site passes on /api/', () => get(`${FRONTEND}/api/version`));
if (POLICIES === 'true') {
  await check('network policies hold: strangers do not reach the listener for sandboxes', async () => {
    const reached = await fetch(INTERNAL, { signal: AbortSignal.timeout(3_000) }).then(
      () => true,
      () => false,
    );
    if (reached) throw new Error('it answered; does the network plugin enforce NetworkPolicies?');
  });
}
process.exit(failed === 0 ? 0 : 1);
