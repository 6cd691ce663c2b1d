// Run by `helm test`: each line says what was tried. Ends with 1 when anything failed.
import { request } from 'node:http';

const { FRONTEND, API_GATEWAY, WS_PROXY, INTERNAL, PUBLIC_URL, SINGLE_ENTRANCE, POLICIES, VERSION } = process.env;
const TIMEOUT_MS = 10_000;
let failed = 0;

async function check(what, run) {
  try {
    await run();
    console.log(`ok      ${what}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${what}: ${error.message}`);
  }
}

// As a browser behind the address that people open; fetch would send the Service's own name.
const get = (url, timeoutMs = TIMEOUT_MS) =>
  new Promise((resolve, reject) => {
    const headers = { host: new URL(PUBLIC_URL).host };
    const asked = request(url, { headers, signal: AbortSignal.timeout(timeoutMs) }, async (answer) => {
      let text = '';
      for await (const chunk of answer) text += chunk;
      if (answer.statusCode === 200) resolve(text);
      else reject(new Error(`${url} answered ${answer.statusCode}`));
    });
    asked.on('error', reject);
    asked.end();
  });

await check('api-gateway is ready, its database too', () => get(`${API_GATEWAY}/health/ready`));
await check('ws-proxy is ready', () => get(`${WS_PROXY}/health/ready`));
await check('the site is there', async () => {
  if (!/<script/.test(await get(`${FRONTEND}/`))) throw new Error('the page has no scripts in it');
});
await check(`this version answers (${VERSION})`, async () => {
  const { version } = JSON.parse(await get(`${API_GATEWAY}/api/version`));
  if (version !== VERSION) throw new Error(`version ${version} answered`);
});
if (SINGLE_ENTRANCE === 'true') await check('the site passes on /api/', () => get(`${FRONTEND}/api/version`));
if (POLICIES === 'true') {
  await check('network policies hold: strangers do not reach the listener for sandboxes', async () => {
    const answered = await get(INTERNAL, 3_000).then(
      () => true,
      (error) => / answered /.test(error.message),
    );
    if (answered) throw new Error('it answered; does the network plugin enforce NetworkPolicies?');
  });
}
process.exit(failed === 0 ? 0 : 1);
