import './styles/fonts.css';
import './styles/global.css';
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
const locale = startLocale();
app.use(createAppRouter());
await locale;
app.mount('#app');
