/** A record as the API presents it; what the suite looks at. */
export interface Media {
  id: string;
  status: string;
  publicId: string;
  assetId: string;
  bytes: number;
  checksum: { sha256: string | null; md5: string | null };
  filename: string;
  title: string;
  description: string;
  category: string;
  tags: string[];
  revision: number;
  persistence: { level: string | null };
}
