export { isOfAnotherDeployment } from './foreign-mark.js';
export {
  mediaRecord,
  mediaStatuses,
  resourceTypes,
  unmeasured,
  type Measured,
  type MediaRecord,
  type MediaSource,
  type MediaStatus,
  type ResourceType,
} from './media-record.js';
export { isAllowedType } from './allowed-types.js';
export { resourceTypeOf } from './resource-type-of.js';
export { mediaLimits, SLOWEST_BYTES_PER_SECOND } from './media-limits.js';
export {
  idFromPublicId,
  idOfFoundAsset,
  isMediaId,
  isOwnId,
  mediaIdFrom,
  newMediaId,
  publicIdFor,
  timeOfId,
} from './media-id.js';
export {
  bindingOf,
  isOwnKey,
  readHostMetadata,
  rewriteHostMetadata,
  writeHostMetadata,
  type Carried,
  type CarriedFields,
  type CommitMark,
  type HostMetadata,
} from './host-metadata.js';
export { isSameTags, recordFromAsset, withKnown, type AssetFacts } from './record-from-asset.js';
export { carriedFields } from './carried-fields.js';
export { fieldsWithoutMark } from './fields-without-mark.js';
export {
  editBase,
  editsOnHostOnly,
  isNumberedTwice,
  type EditableFields,
  type Side,
  type MergeBase,
} from './host-edits.js';
export { hostOfUrl, isOnAnotherHost, type HostIdentity } from './host-identity.js';
export { doctorPrefix, doctorRunOf } from './doctor-assets.js';
export { isUnpushed } from './is-unpushed.js';
export { takeClaim, type UploadClaim } from './upload-claim.js';
