/** Script of a raw terminal that waits for two bytes of input and then writes `out.bin` piece by piece. */
export const PLAYER = `stty raw -echo; printf READY; head -c 2 > /dev/null
exec node -e 'const b=require("fs").readFileSync(process.env.HOME+"/out.bin");let i=0;const n=()=>{if(i>=b.length)return setTimeout(()=>{},1e9);
const c=b.subarray(i,i+=1+Math.floor(Math.random()*9000));process.stdout.write(c,()=>setTimeout(n,Math.random()*4))};n()'`;
