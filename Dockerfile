# One image for the API and the worker; docker-compose.yml says which of them a container runs.
FROM node:20-slim AS manifests
WORKDIR /app
ENV CI=true
COPY package.json pnpm-lock.yaml pnpm-workspace.yaml ./
COPY apps/api/package.json apps/api/
COPY apps/worker/package.json apps/worker/
COPY packages/foundation/package.json packages/foundation/
COPY packages/shared/package.json packages/shared/
# The pnpm of packageManager, as everywhere else.
RUN npm install --global "$(node -p "require('./package.json').packageManager")"

FROM manifests AS production
RUN pnpm install --frozen-lockfile --prod --filter "@holdfast/api..." --filter "@holdfast/worker..."

FROM manifests AS build
RUN pnpm install --frozen-lockfile --filter . --filter "@holdfast/api..." --filter "@holdfast/worker..."
COPY tsconfig.base.json ./
COPY packages/foundation packages/foundation
COPY packages/shared packages/shared
COPY apps/api apps/api
COPY apps/worker apps/worker
RUN pnpm --filter "@holdfast/api..." --filter "@holdfast/worker..." run build

FROM node:20-slim
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000 DATA_DIR=/data
WORKDIR /app
COPY --from=production /app ./
COPY --from=build /app/packages/foundation/dist packages/foundation/dist
COPY --from=build /app/packages/shared/dist packages/shared/dist
COPY --from=build /app/apps/api/dist apps/api/dist
COPY --from=build /app/apps/api/pages apps/api/pages
COPY --from=build /app/apps/worker/dist apps/worker/dist
RUN mkdir /data && chown node:node /data
VOLUME /data
USER node
EXPOSE 3000
STOPSIGNAL SIGTERM
# /livez: whether this process is up. A Redis that is away is no reason to restart it.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.WORKER_PORT || process.env.PORT}/livez`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# Without a shell in between: the program is process 1 and handles SIGTERM itself.
CMD ["node", "--max-semi-space-size=4", "apps/api/dist/main.js"]
