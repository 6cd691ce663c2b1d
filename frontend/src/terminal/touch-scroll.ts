/** One-finger scrolling, up and down or sideways as it began, with a glide at the end. */
const DRAG_THRESHOLD_PX = 8;
const FRICTION_PER_FRAME = 0.95;
const SLOWEST_PX_PER_MS = 0.03;
const LONGEST_FRAME_MS = 64;

interface Drag {
  readonly id: number;
  lastX: number;
  lastY: number;
  lastAt: number;
  /** Along the axis. */
  speed: number;
  /** Null until the finger has moved far enough to tell. */
  axis: 'x' | 'y' | null;
}

export interface ScrollStep {
  /** Pixels the content moves to the left; negative: to the right. */
  readonly deltaX: number;
  /** Pixels the content moves up; negative: down. */
  readonly deltaY: number;
  /** Where the finger is or was, in page coordinates. */
  readonly x: number;
  readonly y: number;
}

const stepOf = ({ axis, lastX, lastY }: Drag, distance: number): ScrollStep => ({
  deltaX: axis === 'x' ? distance : 0,
  deltaY: axis === 'y' ? distance : 0,
  x: lastX,
  y: lastY,
});

/** Returns the function that removes all listeners. */
export const installTouchScroll = (element: HTMLElement, scroll: (step: ScrollStep) => void): (() => void) => {
  let drag: Drag | null = null;
  let frame: number | null = null;

  const stopGliding = (): void => {
    if (frame !== null) cancelAnimationFrame(frame);
    frame = null;
  };
  const glide = (from: Drag): void => {
    let { speed, lastAt } = from;
    const step = (now: number): void => {
      const elapsed = Math.min(now - lastAt, LONGEST_FRAME_MS);
      lastAt = now;
      speed *= FRICTION_PER_FRAME;
      if (Math.abs(speed) < SLOWEST_PX_PER_MS) return;
      scroll(stepOf(from, speed * elapsed));
      frame = requestAnimationFrame(step);
    };
    frame = requestAnimationFrame(step);
  };

  const onStart = (event: TouchEvent): void => {
    stopGliding();
    const [touch] = event.touches;
    drag =
      touch && event.touches.length === 1
        ? {
            id: touch.identifier,
            lastX: touch.clientX,
            lastY: touch.clientY,
            lastAt: event.timeStamp,
            speed: 0,
            axis: null,
          }
        : null;
  };
  const onMove = (event: TouchEvent): void => {
    const touch = [...event.changedTouches].find((candidate) => candidate.identifier === drag?.id);
    if (!drag || !touch) return;
    const deltaX = drag.lastX - touch.clientX;
    const deltaY = drag.lastY - touch.clientY;
    if (drag.axis === null && Math.max(Math.abs(deltaX), Math.abs(deltaY)) < DRAG_THRESHOLD_PX) return;
    drag.axis ??= Math.abs(deltaX) > Math.abs(deltaY) ? 'x' : 'y';
    event.preventDefault();
    const distance = drag.axis === 'x' ? deltaX : deltaY;
    const elapsed = Math.max(1, event.timeStamp - drag.lastAt);
    drag.speed = distance / elapsed;
    drag.lastX = touch.clientX;
    drag.lastY = touch.clientY;
    drag.lastAt = event.timeStamp;
    scroll(stepOf(drag, distance));
  };
  const onEnd = (): void => {
    if (drag?.axis && !matchMedia('(prefers-reduced-motion: reduce)').matches) glide(drag);
    drag = null;
  };

  element.addEventListener('touchstart', onStart, { passive: true });
  element.addEventListener('touchmove', onMove, { passive: false });
  element.addEventListener('touchend', onEnd);
  element.addEventListener('touchcancel', onEnd);
  return () => {
    stopGliding();
    element.removeEventListener('touchstart', onStart);
    element.removeEventListener('touchmove', onMove);
    element.removeEventListener('touchend', onEnd);
    element.removeEventListener('touchcancel', onEnd);
  };
};
