import './styles/fonts.css';
import './styles/global.css';
import './styles/helpers.css';
import './styles/parts.css';
import { createPinia } from 'pinia';
import { createApp } from 'vue';
import App from './App.vue';
import { i18n, startLocale } from './locales/index.ts';
import { createAppRouter } from './router/index.ts';
import { installTokens } from './theme.ts';

installTokens(document);

const app = createApp(App);
app.use(createPinia());
app.use(i18n);
app.use(createAppRouter());
// Not a top-level await: the chunk of another language imports this module and would wait for it in turn.
void startLocale().then(() => app.mount('#app'));
